import type { group } from '@youworker/contracts/group'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { GroupDeletion } from '../services/group-deletion.ts'
import type { GroupPolicies } from '../services/group-policies.ts'
import type { GroupService } from '../services/group-service.ts'
import type { MemberService } from '../services/member-service.ts'

interface GroupServices {
  readonly groups: GroupService
  readonly members: MemberService
  readonly deletion: GroupDeletion
  readonly policies: GroupPolicies
}

export const groupHandlers = ({ groups, members, deletion, policies }: GroupServices): Handlers<typeof group> => ({
  createGroup: (input, context) => groups.create(input, context),
  updateGroup: ({ group_id, ...changes }, context) => groups.update(group_id, changes, context),
  getGroup: ({ group_id }, context) => groups.get(group_id, context),
  listGroups: (page, context) => groups.list(page, context),
  async deleteGroup(input, context) {
    await deletion.delete(input, context)
    return {}
  },
  restoreGroup: (input, context) => deletion.restore(input, context),
  getPolicy: ({ group_id }, context) => policies.get(group_id, context),
  setPolicy: ({ group_id, ...policy }, context) => policies.set(group_id, policy, context),
  listErasures: (input, context) => deletion.listErasures(input, context),
  listMembers: ({ group_id, ...page }, context) => members.list(group_id, page, context),
  addMember: ({ group_id, ...wanted }, context) => members.add(group_id, wanted, context),
  setRole: ({ group_id, user_id, role }, context) => members.setRole(group_id, user_id, role, context),
  async removeMember({ group_id, user_id }, context) {
    await members.remove(group_id, user_id, context)
    return {}
  },
  checkSpace: ({ user_id, space_id }) => groups.rightsIn(space_id, user_id),
  getGroupPrompt: async ({ user_id, group_id }) => ({ group: await groups.promptFor(user_id, group_id) }),
  listSpaces: async (_input, context) => ({ space_ids: await groups.spaces(context) }),
  listSpacesOf: async ({ user_id }) => ({ space_ids: await groups.spacesOf(user_id) }),
})
