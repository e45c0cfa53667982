import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { Id, Line, Nothing, Page, Time } from './common.ts'
import { event, request } from './define.ts'
import { deletedFields, listErasures } from './erasures.ts'
import { LIMITS } from './limits.ts'

export const Role = z.enum(['admin', 'member'])
export type Role = z.infer<typeof Role>

/** What a group lets its members do. */
export const GroupPolicy = z
  .object({
    document_changes: z.enum(['owners_and_admins', 'admins', 'members']).meta({
      description:
        'Who may change, replace, delete and restore a document of the group: who brought it and the admins (the default), only the admins, or every member.',
    }),
  })
  .meta({ id: 'GroupPolicy' })
export type GroupPolicy = z.infer<typeof GroupPolicy>

export const Group = z
  .object({
    id: Id,
    name: z.string(),
    description: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
    member_count: z.number().int(),
    instructions: z
      .string()
      .optional()
      .meta({ description: 'For answers in sessions of the group; lists of groups leave them out.' }),
    cache_answers: z.boolean().optional().meta({ description: 'Whether answers in its sessions are kept and given again.' }),
    /** The caller's role. */
    role: Role,
    ...deletedFields,
  })
  .meta({ id: 'Group' })
export type Group = z.infer<typeof Group>

export const Member = z.object({ user_id: Id, username: z.string(), role: Role, joined_at: Time }).meta({ id: 'Member' })
export type Member = z.infer<typeof Member>

const Description = z.string().trim().max(500).nullable()
const INSTRUCTIONS_BYTES = 16 * 1024
const utf8 = new TextEncoder()
const Instructions = z
  .string()
  .trim()
  .min(1)
  .refine((text) => utf8.encode(text).length <= INSTRUCTIONS_BYTES, `must be at most ${INSTRUCTIONS_BYTES} bytes`)
  .nullable()
  .meta({
    description:
      'Added to the system prompt of answers in sessions of the group, before the instructions of the session. `{{date}}`, `{{user}}`, `{{language}}` and `{{group}}` are replaced; other text in double braces stays.',
  })
const CacheAnswers = z.boolean().meta({
  description:
    'In sessions of the group every question is as one with `cache: true`, unless it says `cache: false`. Nobody gets the answer to another member.',
})
/** Accepts any string: published clients expect `INVALID_ROLE` for a wrong role, not `VALIDATION_ERROR`. */
const RoleName = z.string().max(32)
const GroupId = z.object({ group_id: Id })
const MembershipId = GroupId.extend({ user_id: Id })

export const group = {
  createGroup: request('rpc.group.v1.group.create', {
    input: z.object({
      name: Line(128),
      description: Description.optional(),
      instructions: Instructions.optional(),
      cache_answers: CacheAnswers.optional(),
    }),
    output: Group,
    /** `GROUP_NOT_FOUND`: a repeat with the same idempotency key after the group was deleted. */
    errors: ['GROUP_NAME_EXISTS', 'GROUP_NOT_FOUND'],
  }),
  updateGroup: request('rpc.group.v1.group.update', {
    input: GroupId.extend({
      name: Line(128).optional(),
      description: Description.optional(),
      instructions: Instructions.optional(),
      cache_answers: CacheAnswers.optional(),
    }),
    output: Group,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'GROUP_NAME_EXISTS'],
  }),
  /** Includes the newest members. When `member_count` is higher, `listMembers` returns the others. */
  getGroup: request('rpc.group.v1.group.get', {
    input: GroupId,
    output: Group.extend({ members: z.array(Member).max(LIMITS.listRows) }).meta({ id: 'GroupWithMembers' }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  listGroups: request('rpc.group.v1.group.list', {
    input: Page.extend({ include_deleted: z.boolean().default(false) }),
    output: z.object({ groups: z.array(Group), total: z.number().int() }),
    repeatable: true,
  }),
  /** Nobody finds it from then on, and after some time it is erased with all that is in it; with `purge` at once. */
  deleteGroup: request('rpc.group.v1.group.delete', {
    input: GroupId.extend({ purge: z.boolean().default(false) }),
    output: Nothing,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
  /** With its members and documents. A group that is not deleted stays as it is. */
  restoreGroup: request('rpc.group.v1.group.restore', {
    input: GroupId,
    output: Group,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'GROUP_NAME_EXISTS'],
    repeatable: true,
  }),
  listErasures: listErasures('rpc.group.v1.erasure.list'),
  getPolicy: request('rpc.group.v1.policy.get', {
    input: GroupId,
    output: GroupPolicy,
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  setPolicy: request('rpc.group.v1.policy.set', {
    input: GroupId.extend(GroupPolicy.shape),
    output: GroupPolicy,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN'],
    repeatable: true,
  }),
  listMembers: request('rpc.group.v1.member.list', {
    input: GroupId.extend(Page.shape),
    output: z.object({ members: z.array(Member), total: z.number().int() }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  addMember: request('rpc.group.v1.member.add', {
    input: GroupId.extend({
      user_id: Id.optional(),
      username: z.string().max(64).optional(),
      role: RoleName.default('member'),
    }).refine((input) => (input.user_id === undefined) !== (input.username === undefined), 'give user_id or username'),
    output: Member,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'USER_NOT_FOUND', 'MEMBERSHIP_EXISTS', 'INVALID_ROLE'],
  }),
  setRole: request('rpc.group.v1.member.set-role', {
    input: MembershipId.extend({ role: RoleName }),
    output: Member,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'MEMBERSHIP_NOT_FOUND', 'LAST_ADMIN', 'INVALID_ROLE'],
  }),
  /** Members may remove themselves, except the last admin. */
  removeMember: request('rpc.group.v1.member.remove', {
    input: MembershipId,
    output: Nothing,
    errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'MEMBERSHIP_NOT_FOUND', 'LAST_ADMIN'],
  }),
  /** All spaces that the caller may read: their own and those of their groups. */
  listSpaces: request('rpc.group.v1.space.list', {
    audience: ['api', 'run'],
    input: Nothing,
    output: z.object({ space_ids: z.array(Id) }),
    repeatable: true,
  }),
  /** Whether a user may use a space at this moment, and in a group's space the role and the policy there. Also for jobs, which have no token. */
  checkSpace: request('rpc.group.internal.v1.space.check', {
    auth: 'service',
    input: z.object({ user_id: Id, space_id: Id }),
    output: z.object({
      allowed: z.boolean(),
      role: Role.optional(),
      document_changes: GroupPolicy.shape.document_changes.optional(),
    }),
    repeatable: true,
  }),
  /** The same as `listSpaces` for any user: what an operator asks as that user. */
  listSpacesOf: request('rpc.group.internal.v1.space.list', {
    auth: 'service',
    input: z.object({ user_id: Id }),
    output: z.object({ space_ids: z.array(Id) }),
    repeatable: true,
  }),
  /** What a group says of the answers of a member, for runs, which have no token of their user; `null` for who is not a member. */
  getGroupPrompt: request('rpc.group.internal.v1.group.prompt', {
    auth: 'service',
    input: GroupId.extend({ user_id: Id }),
    output: z.object({
      group: z
        .object({ name: z.string(), instructions: z.string().nullable(), cache_answers: z.boolean().optional() })
        .nullable(),
    }),
    repeatable: true,
  }),

  groupCreated: event(
    'events.group.v1.group.created',
    'A group was created; `member.added` for its creator follows.',
    z.object({ group_id: Id, user_id: Id }),
  ),
  groupSoftDeleted: event(
    'events.group.v1.group.soft-deleted',
    'A group cannot be found any more, nor what is in it. Until it is erased, which `group.deleted` tells, it can be restored.',
    z.object({ group_id: Id, user_id: Id }),
  ),
  groupRestored: event(
    'events.group.v1.group.restored',
    'A group that was deleted is there again, with its members and documents.',
    z.object({ group_id: Id, user_id: Id }),
  ),
  groupDeleted: event(
    'events.group.v1.group.deleted',
    'A group was erased with all memberships; no `member.removed` follows.',
    z.object({ group_id: Id, user_id: Id }),
  ),
  memberAdded: event('events.group.v1.member.added', 'A user became a member of a group.', MembershipId.extend({ role: Role })),
  memberRoleChanged: event(
    'events.group.v1.member.role-changed',
    'A member got another role.',
    MembershipId.extend({ role: Role }),
  ),
  memberRemoved: event('events.group.v1.member.removed', 'A member left a group or was removed.', MembershipId),
  auditRecorded: event('events.group.v1.audit.recorded', 'A privileged act at group was allowed or denied.', AuditEntry),
} as const
