import type { Siblings } from '@youworker/contracts/agent/branches'
import type { MessageRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { KnownBranch } from '../../repositories/branch-repository.ts'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'

type Placed = Pick<MessageRow, 'id' | 'turn' | 'branch'>

/** By message: those whose question stands in one place with others. */
export async function siblingsOf(
  { branches, messages }: Pick<ChatAgentRepositories, 'branches' | 'messages'>,
  session: Pick<SessionRow, 'id' | 'branch'>,
  rows: readonly Placed[],
): Promise<ReadonlyMap<string, Siblings>> {
  if (session.branch === null || rows.length === 0) return new Map()
  const [known, questions] = await Promise.all([branches.ofSession(session.id), messages.questionsOf(rows.map(({ id }) => id))])
  const byNumber = new Map(known.map((branch) => [branch.number, branch]))
  const idOf = (number: number) => byNumber.get(number)?.id ?? session.id
  const places = Map.groupBy(known, ({ before_position }) => before_position)
  return new Map(
    rows.flatMap(({ id, turn, branch }) => {
      const begun = branch === turn ? byNumber.get(branch) : undefined
      const place = places.get(begun?.before_position ?? questions.get(id) ?? -1)
      const siblings = place && standing(branchesAt(place, idOf), idOf(branch))
      return siblings ? [[id, siblings] as const] : []
    }),
  )
}

/** Ids of the branches whose turns stand in one place, oldest first. */
function branchesAt(place: readonly KnownBranch[], idOf: (number: number) => string): readonly string[] {
  const [first] = place
  return [...(first?.replaces_one ? [idOf(first.from_branch)] : []), ...place.map(({ id }) => id)]
}

function standing(ids: readonly string[], id: string): Siblings | undefined {
  const at = ids.indexOf(id)
  if (at === -1 || ids.length < 2) return undefined
  return { index: at + 1, count: ids.length, previous: ids[at - 1] ?? null, next: ids[at + 1] ?? null }
}
