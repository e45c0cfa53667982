import { Page } from '@youworker/contracts/common'
import { Group, group, Member } from '@youworker/contracts/group'
import { z } from 'zod'
import { defineRoute, type RouteCall } from '../http/define-route.ts'
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

type GroupCall = RouteCall<{ group_id: string }, unknown, unknown>
const client = ({ deps, context }: Pick<GroupCall, 'deps' | 'context'>) => deps.group.as(context.scope)

const members = (call: Pick<GroupCall, 'deps' | 'context' | 'params'>): Promise<Member[]> =>
  everyPage(async (page) => {
    const { members: rows, total } = await client(call).listMembers({ ...call.params, ...page })
    return { rows, total }
  })

const read = { tag: 'groups', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'groups', auth: 'required', csrf: 'required', limit: 'default' } as const

const update = (method: 'PATCH' | 'PUT') =>
  defineRoute({
    ...write,
    method,
    path: '/v1/groups/{group_id}',
    summary: 'Change name or description (admin)',
    params: GroupPath,
    body: Changes,
    answer: Group,
    errors: group.updateGroup.errors,
    handle: ({ params, body, ...call }) => client(call).updateGroup({ ...params, ...body }, call.context.once),
  })

/** PUT and PATCH as designed, POST as old clients send it. */
const setRole = (method: 'PATCH' | 'PUT' | 'POST') =>
  defineRoute({
    ...write,
    method,
    path: '/v1/groups/{group_id}/members/{user_id}',
    summary: "Change a member's role (admin)",
    params: MemberPath,
    body: NewRole,
    answer: Member,
    errors: group.setRole.errors,
    handle: ({ params, body, ...call }) => client(call).setRole({ ...params, ...body }, call.context.once),
  })

const groupRoutesOfOne = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/{group_id}',
    summary: 'One group with its members',
    params: GroupPath,
    answer: Group.extend({ members: z.array(Member) }),
    errors: group.getGroup.errors,
    async handle(call) {
      const one = await client(call).getGroup(call.params)
      return one.members.length >= one.member_count ? one : { ...one, members: await members(call) }
    },
  }),
  update('PATCH'),
  update('PUT'),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/groups/{group_id}',
    summary: 'Delete the group (admin)',
    params: GroupPath,
    status: 204,
    errors: group.deleteGroup.errors,
    async handle({ params, ...call }) {
      await client(call).deleteGroup(params)
    },
  }),
]

const memberRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/{group_id}/members',
    summary: 'The members',
    params: GroupPath,
    answer: z.array(Member),
    errors: group.listMembers.errors,
    handle: members,
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/groups/{group_id}/members',
    summary: 'Add a member by id or username (admin)',
    params: GroupPath,
    body: NewMember,
    status: 201,
    answer: Member,
    errors: group.addMember.errors,
    handle: ({ params, body, ...call }) => client(call).addMember({ ...params, ...body }, call.context.once),
  }),
  setRole('PATCH'),
  setRole('PUT'),
  setRole('POST'),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/groups/{group_id}/members/{user_id}',
    summary: 'Remove a member (admin), or leave',
    params: MemberPath,
    status: 204,
    errors: group.removeMember.errors,
    async handle({ params, ...call }) {
      await client(call).removeMember(params)
    },
  }),
]

export const groupRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/groups',
    summary: 'Create a group; its creator is its admin',
    body: group.createGroup.input,
    status: 201,
    answer: Group,
    errors: group.createGroup.errors,
    handle: ({ body, ...call }) => client(call).createGroup(body, call.context.once),
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups',
    summary: "The caller's groups, page by page",
    query: Page,
    answer: group.listGroups.output.extend({ limit: z.number().int(), offset: z.number().int() }),
    async handle({ query, ...call }) {
      return { ...(await client(call).listGroups(query)), limit: query.limit, offset: query.offset }
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/groups/me',
    summary: "All the caller's groups",
    answer: z.array(Group),
    handle: (call) =>
      everyPage(async (page) => {
        const { groups: rows, total } = await client(call).listGroups(page)
        return { rows, total }
      }),
  }),
  ...groupRoutesOfOne,
  ...memberRoutes,
]
