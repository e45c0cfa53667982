import type { Sealer } from '@youworker/database/sealing/sealer'

export interface SealedInstructions {
  readonly id: string
  readonly instructions: Buffer | null
}

const contextOf = (groupId: string) => ({ table: 'groups.instructions', id: groupId })

/** How a group wants answers, sealed with the key of its space. */
export class GroupInstructions {
  readonly #sealer: Sealer

  constructor(sealer: Sealer) {
    this.#sealer = sealer
  }

  /** Call it before a unit of work: it may make the key of the space. */
  async seal(groupId: string, text: string): Promise<Buffer> {
    return (await this.#sealer.forSpace(groupId)).sealText(text, contextOf(groupId))
  }

  async open({ id, instructions }: SealedInstructions): Promise<string | undefined> {
    return instructions === null ? undefined : (await this.#sealer.forSpace(id)).openText(instructions, contextOf(id))
  }

  /** Of a group that was deleted, or not made: its key goes too. */
  forget(groupId: string): Promise<void> {
    return this.#sealer.forget(groupId)
  }
}
