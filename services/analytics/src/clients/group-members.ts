import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import type { group } from '@youworker/contracts/group'
import { LIMITS } from '@youworker/contracts/limits'
import type { createClient } from '@youworker/messaging/requests/client'
import type { FindGroup } from '../services/figure-access.ts'

type Client = ReturnType<typeof createClient<typeof group>>
type FirstPage = Awaited<ReturnType<Client['getGroup']>>

const OPTIONS = { timeoutMs: 2_000 }
/** The time of a query grows with members times facts, and must stay within a request. */
const MAX_MEMBERS = 2_000
const MAX_TRIES = 3
const AWAY: readonly ErrorCode[] = ['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN', 'DEADLINE_EXCEEDED']

/** Asks the group service, as the caller, what he is in a group and who else is in it since when. */
export function groupMembers(client: Client): FindGroup {
  return async (group_id, context) => {
    const asked = client.as(context)
    const first = await whileItAnswers(() => asked.getGroup({ group_id }, OPTIONS))
    return { role: first.role, members: () => allMembers(asked, first) }
  }
}

async function allMembers(client: Pick<Client, 'getGroup' | 'listMembers'>, first: FirstPage) {
  let page = first
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const { id: group_id, member_count } = page
    if (member_count > MAX_MEMBERS) {
      throw new AppError('VALIDATION_ERROR', `This group has ${member_count} members; figures are made for up to ${MAX_MEMBERS}.`)
    }
    const found = await withOtherPages(client, page)
    if (found) return found
    page = await whileItAnswers(() => client.getGroup({ group_id }, OPTIONS))
  }
  throw new AppError('SERVICE_UNAVAILABLE', 'The members of the group are changing; try again in a second', { retryAfter: 1 })
}

/** `undefined` when somebody came or left meanwhile: who leaves moves another one over to a page that was read already. */
async function withOtherPages(client: Pick<Client, 'listMembers'>, { id: group_id, members, member_count }: FirstPage) {
  const found = [...members]
  while (found.length < member_count) {
    const query = { group_id, limit: LIMITS.listRows, offset: found.length }
    const page = await whileItAnswers(() => client.listMembers(query, OPTIONS))
    if (page.total !== member_count || page.members.length === 0) return undefined
    found.push(...page.members)
  }
  return found
}

/** Answers 503 while groups cannot be asked, also when the group service is only too slow. */
async function whileItAnswers<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof AppError) || !AWAY.includes(error.code)) throw error
    const text = 'The group cannot be asked right now; your own figures work, try again in a few seconds'
    throw new AppError('SERVICE_UNAVAILABLE', text, { retryAfter: 5, cause: error })
  }
}
