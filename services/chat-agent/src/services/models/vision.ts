import { AppError } from '@youworker/contracts/errors'
import type { ModelInfo, ModelMessage, ModelPort } from './model-port.ts'

/** How long a start waits to hear whether a model sees. */
const ASK_MS = 2_000

type Turn = ModelMessage | { readonly role: 'user' | 'assistant' | 'system' | 'tool'; readonly content: string }

const imagesOf = (turn: Turn) => ('images' in turn ? (turn.images ?? []) : [])

export const hasImages = (turns: readonly Turn[]): boolean => turns.some((turn) => imagesOf(turn).length > 0)

/** The turns without what their images show, as a conversation is told or gone on from. */
export const withoutImageData = <T extends Turn>(turns: readonly T[]): T[] =>
  turns.map((turn) =>
    'images' in turn && turn.images ? { ...turn, images: turn.images.map(({ mime }) => ({ mime, data: '' })) } : turn,
  )

/** The turns without images. The model reads that there were some. */
export const withoutImages = <T extends Turn>(turns: readonly T[]): T[] =>
  turns.map((turn) => {
    if (imagesOf(turn).length === 0) return turn
    const { images: _images, ...rest } = { images: [], ...turn }
    return { ...rest, content: `${turn.content}\n[An image stood here.]`.trim() } as unknown as T
  })

/** Throws `VALIDATION_ERROR` for a model that is known not to see. */
export function requireVision({ name, vision }: ModelInfo): void {
  if (vision !== false) return
  const message = `The model ${name} cannot see images: choose one with \`vision\` among its capabilities (GET /v1/models), or leave the images out`
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'model', message: 'cannot see images' }] })
}

interface Asked {
  readonly model?: string | null | undefined
  readonly session_id?: string | null | undefined
  readonly images?: readonly unknown[] | undefined
  readonly conversation?: readonly Turn[] | undefined
}

/** Which model answers a question with images. */
export class Vision {
  readonly #model: Pick<ModelPort, 'describe'>
  readonly #usual: string | undefined

  /** `usual`: the name of the one that does, when none is asked for. */
  constructor(model: Pick<ModelPort, 'describe'>, usual: string | undefined) {
    this.#model = model
    this.#usual = usual
  }

  /**
   * The model when none is asked for, if there is one for this question. Throws `VALIDATION_ERROR` when the model is known not to see. One
   * that cannot be asked in time is asked again by the run.
   */
  async modelFor(asked: Asked, signal: AbortSignal): Promise<string | undefined> {
    const { model, session_id, images, conversation } = asked
    if (!isShown(images, conversation)) return undefined
    const name = model ?? this.#usual
    // The session may have another one.
    if (name === undefined && session_id) return undefined
    this.#require(await this.#describe(name ?? null, signal))
    return this.#usual
  }

  /** The same for images that are known only later, by what is returned. */
  async later({ model }: Pick<Asked, 'model'>, signal: AbortSignal) {
    const info = model ? await this.#describe(model, signal) : undefined
    return (images: Asked['images'], conversation: Asked['conversation']): string | undefined => {
      if (!isShown(images, conversation)) return undefined
      this.#require(info)
      return this.#usual
    }
  }

  async #describe(model: string | null, signal: AbortSignal): Promise<ModelInfo | undefined> {
    const asked = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)])
    return (await this.#model.describe(model, asked).catch(() => signal.throwIfAborted())) ?? undefined
  }

  #require(info: ModelInfo | undefined): void {
    if (info) requireVision(info)
  }
}

const isShown = (images: Asked['images'], conversation: Asked['conversation']): boolean =>
  Boolean(images?.length) || hasImages(conversation ?? [])
