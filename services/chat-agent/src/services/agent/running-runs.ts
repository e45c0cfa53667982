import type { RunState } from '../runs/run-state.ts'

/** What somebody cannot read any more. Without a user: nobody can. */
export interface Loss {
  readonly user_id?: string
  readonly space_id?: string
  readonly document_id?: string
}

/** The runs that this process works on, to end those whose user has lost what their answers are made from. */
export class RunningRuns {
  readonly #states = new Set<RunState>()

  add(state: RunState): Disposable {
    this.#states.add(state)
    return { [Symbol.dispose]: () => void this.#states.delete(state) }
  }

  /** Their answers cite nothing any more. Returns those that have to stop. */
  lose(loss: Loss): { readonly id: string; readonly user_id: string }[] {
    const hit = [...this.#states].filter((state) => isHit(state, loss))
    for (const { book } of hit) book.forget()
    return hit.map(({ run }) => ({ id: run.id, user_id: run.user_id }))
  }
}

/**
 * A search that is under way may still find what is lost, so of a user who has left a group every run with tools counts. Otherwise a run has
 * found something already, and where that was or what else it read is not always known.
 */
function isHit({ run, book, sources }: RunState, { user_id, space_id, document_id }: Loss): boolean {
  if (user_id !== undefined) return run.user_id === user_id && run.enable_tools
  if (document_id !== undefined) return book.has(document_id)
  return !book.isEmpty && (sources.spaces === undefined || (space_id !== undefined && sources.spaces.has(space_id)))
}
