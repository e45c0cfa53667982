import { Page } from '@youworker/contracts/common'
import { Group, group, GroupPolicy, Member } from '@youworker/contracts/group'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { IncludeDeleted, Purge } from './deletion-queries.ts'
import { everyPage } from './every-page.ts'

const GroupPath = group.getGroup.input
const MemberPath = group.removeMember.input
const NewMember = z.object({
  user_id: z.uuid().optional(),
  username: z.string().max(64).optional(),
  role: z.string().max(32).default('member'),
})
const NewRole = z.object({ role: z.string().max(32) })
const Changes = group.updateGroup.input.omit({ group_id: true })

type Deps = Pick<Clients, 'group'>
const client = (context: RequestContext, { group: groups }: Deps) => groups.as(context.scope)

const members = (group_id: string, context: RequestContext, deps: Deps): Promise<Member[]> =>
  everyPage(async (page) => {
    const { members: rows, total } = await client(context, deps).listMembers({ group_id, ...page })
    return { rows, total }
  })

const read = { tag: 'groups', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'groups', auth: 'required', csrf: 'required', limit: 'default' } as const

const update = (method: 'PATCH' | 'PUT', operation: string) =>
  defineRoute({
    ...write,
    method,
    path: '/v1/groups/{group_id}',
    operation,
    summary: 'Change name, description, instructions, or whether answers are kept (admin)',
    params: GroupPath,
    body: Changes,
    answer: Group,
    errors: group.updateGroup.errors,
    handle: ({ params, body, context }, deps: Deps) =>
      client(context, deps).updateGroup({ ...params, ...body }, context.idempotency),
  })

/** POST is for old clients. */
const setRole = (method: 'PATCH' | 'PUT' | 'POST', operation: string) =>
  defineRoute({
    ...write,
    method,
    path: '/v1/groups/{group_id}/members/{user_id}',
    operation,
    summary: "Change a member's role (admin)",
    params: MemberPath,
    body: NewRole,
    answer: Member,
    errors: group.setRole.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).setRole({ ...params, ...body }, context.idempotency),
  })

const groupRoutesOfOne = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/{group_id}',
    operation: 'getGroup',
    summary: 'One group with its members',
    params: GroupPath,
    answer: Group.extend({ members: z.array(Member) }),
    errors: group.getGroup.errors,
    async handle({ params, context }, deps: Deps) {
      const one = await client(context, deps).getGroup(params)
      return one.members.length >= one.member_count ? one : { ...one, members: await members(params.group_id, context, deps) }
    },
  }),
  update('PATCH', 'updateGroup'),
  update('PUT', 'putGroup'),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/groups/{group_id}',
    operation: 'deleteGroup',
    summary: 'Delete the group (admin); until it is erased it can be restored',
    params: GroupPath,
    query: Purge,
    status: 204,
    errors: group.deleteGroup.errors,
    async handle({ params, query, context }, deps: Deps) {
      await client(context, deps).deleteGroup({ ...params, ...query })
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/groups/{group_id}/restore',
    operation: 'restoreGroup',
    summary: 'Bring a deleted group back, with its members and documents (admin)',
    params: GroupPath,
    answer: Group,
    errors: group.restoreGroup.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).restoreGroup(params),
  }),
]

const policyRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/{group_id}/policy',
    operation: 'getGroupPolicy',
    summary: 'What the group lets its members do',
    params: GroupPath,
    answer: GroupPolicy,
    errors: group.getPolicy.errors,
    handle: ({ params, context }, deps: Deps) => client(context, deps).getPolicy(params),
  }),
  defineRoute({
    ...write,
    method: 'PUT',
    path: '/v1/groups/{group_id}/policy',
    operation: 'setGroupPolicy',
    summary: 'Change what the group lets its members do (admin)',
    params: GroupPath,
    body: z.object(GroupPolicy.shape),
    answer: GroupPolicy,
    errors: group.setPolicy.errors,
    handle: ({ params, body, context }, deps: Deps) => client(context, deps).setPolicy({ ...params, ...body }),
  }),
]

const memberRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/{group_id}/members',
    operation: 'listMembers',
    summary: 'The members',
    params: GroupPath,
    answer: z.array(Member),
    errors: group.listMembers.errors,
    handle: ({ params, context }, deps: Deps) => members(params.group_id, context, deps),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/groups/{group_id}/members',
    operation: 'addMember',
    summary: 'Add a member by id or username (admin)',
    params: GroupPath,
    body: NewMember,
    status: 201,
    answer: Member,
    errors: group.addMember.errors,
    handle: ({ params, body, context }, deps: Deps) =>
      client(context, deps).addMember({ ...params, ...body }, context.idempotency),
  }),
  setRole('PATCH', 'setMemberRole'),
  setRole('PUT', 'putMemberRole'),
  setRole('POST', 'postMemberRole'),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/groups/{group_id}/members/{user_id}',
    operation: 'removeMember',
    summary: 'Remove a member (admin), or leave',
    params: MemberPath,
    status: 204,
    errors: group.removeMember.errors,
    async handle({ params, context }, deps: Deps) {
      await client(context, deps).removeMember(params)
    },
  }),
]

export const groupRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/groups',
    operation: 'createGroup',
    summary: 'Create a group; its creator is its admin',
    body: group.createGroup.input,
    status: 201,
    answer: Group,
    errors: group.createGroup.errors,
    handle: ({ body, context }, deps: Deps) => client(context, deps).createGroup(body, context.idempotency),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups',
    operation: 'listGroups',
    summary: "The caller's groups, page by page",
    query: Page.extend(IncludeDeleted.shape),
    answer: group.listGroups.output.extend({ limit: z.number().int(), offset: z.number().int() }),
    async handle({ query, context }, deps: Deps) {
      return { ...(await client(context, deps).listGroups(query)), limit: query.limit, offset: query.offset }
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/me',
    operation: 'listMyGroups',
    summary: "All the caller's groups",
    answer: z.array(Group),
    handle: ({ context }, deps: Deps) =>
      everyPage(async (page) => {
        const { groups: rows, total } = await client(context, deps).listGroups(page)
        return { rows, total }
      }),
  }),
  ...groupRoutesOfOne,
  ...memberRoutes,
  ...policyRoutes,
]
