import { AppError } from '@youworker/contracts/errors'
import type { Grants, GroupPrompt, Groups } from '../ports.ts'
import type { RunState } from '../runs/run-state.ts'
import { languageName } from '../agent/system-prompt.ts'
import { fillVariables, hasVariable } from './fill-variables.ts'

const LEFT = 'You are no longer in the group of this session: its instructions do not apply.'
const AWAY = 'The group service does not answer, and this session follows the instructions of a group; try again in a moment.'

/** What a group and a session add to the system prompt of an answer. Asks nobody for a session without a group and variables. */
export class SessionPrompts {
  readonly #groups: Groups
  readonly #grants: Pick<Grants, 'userName'>

  constructor(groups: Groups, grants: Pick<Grants, 'userName'>) {
    this.#groups = groups
    this.#grants = grants
  }

  /**
   * The instructions of the group come first. Throws `SERVICE_UNAVAILABLE` when they cannot be known now: an answer that does without them
   * could be one that the group does not allow.
   */
  async of({ run, settings, log }: RunState): Promise<{ readonly text: string; readonly group: GroupPrompt | undefined }> {
    const { group_id, session_instructions = '', language } = settings
    const group = group_id === undefined ? undefined : await this.#groupOf(run.user_id, group_id)
    if (group_id !== undefined && !group && !log.logs.some(({ msg }) => msg === LEFT)) log.note('info', LEFT)
    const texts = [group?.instructions ?? '', session_instructions].filter((text) => text !== '')
    if (texts.length === 0) return { text: '', group }
    const needsName = texts.some((text) => hasVariable(text, 'user'))
    const values = {
      date: new Date(run.created_at).toISOString().slice(0, 10),
      user: needsName ? await this.#grants.userName(run.grant_id) : undefined,
      language: languageName(language),
      group: group?.name,
    }
    return { text: texts.map((text) => fillVariables(text, values)).join('\n\n'), group }
  }

  async #groupOf(userId: string, groupId: string): Promise<GroupPrompt | undefined> {
    try {
      return await this.#groups.prompt(userId, groupId)
    } catch (error) {
      throw new AppError('SERVICE_UNAVAILABLE', AWAY, { cause: error, retryAfter: 1 })
    }
  }
}

/** Throws `GROUP_NOT_FOUND` for everybody who is not a member. */
export async function requireGroup(
  groups: Groups,
  userId: string,
  groupId: string | null | undefined,
): Promise<GroupPrompt | undefined> {
  const group = groupId ? await groups.prompt(userId, groupId) : undefined
  if (!groupId || group) return group
  throw new AppError('GROUP_NOT_FOUND', 'There is no such group among yours; GET /v1/groups lists them')
}
