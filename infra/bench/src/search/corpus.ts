import { Ollama } from 'ollama'

const SENTENCES = 4_000
const VOCABULARY = 30_000
const SYLLABLES =
  'ba be bi bo da de di do fa fe ga go ka ke ki ko la le li lo ma me mi mo na ne ni no pa pe po ra re ri ro sa se si so ta te ti to va ve vi vo'.split(
    ' ',
  )
const CHARACTERS = 900
const BATCH = 64
const MODEL = 'youworker-offline'

interface Sentence {
  readonly text: string
  readonly vector: Float32Array
}

/** Texts of words as frequent as those of a language (Zipf), with the vectors that the offline model gives to their sentences. */
export class Corpus {
  readonly #sentences: readonly Sentence[]
  readonly #ollama: Ollama
  readonly #asked = new Map<string, Float32Array>()
  #seed = 17

  private constructor(sentences: readonly Sentence[], ollama: Ollama) {
    this.#sentences = sentences
    this.#ollama = ollama
  }

  static async make(model: string): Promise<Corpus> {
    const ollama = new Ollama({ host: model })
    let seed = 5
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    const wordOf = (rank: number) =>
      `${SYLLABLES[rank % 45]}${SYLLABLES[(rank * 7 + 3) % 45]}${SYLLABLES[Math.floor(rank / 45) % 45]}${rank > 2_024 ? SYLLABLES[Math.floor(rank / 2_025) % 45] : ''}`
    const texts = Array.from({ length: SENTENCES }, () =>
      Array.from({ length: 16 }, () => wordOf(Math.floor(VOCABULARY ** random()))).join(' '),
    )
    const sentences: Sentence[] = []
    for (let from = 0; from < texts.length; from += BATCH) {
      const input = texts.slice(from, from + BATCH)
      const { embeddings } = await ollama.embed({ model: MODEL, input })
      input.forEach((text, at) => sentences.push({ text, vector: Float32Array.from(embeddings[at] ?? []) }))
    }
    return new Corpus(sentences, ollama)
  }

  /** The number of a chunk stands in the last part of its id. */
  static idOf = (number: number): string => `0190a000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`
  static numberOf = (id: string): number => Number.parseInt(id.slice(-12), 16)

  chunk(): { text: string; vector: Float32Array } {
    const parts: Sentence[] = []
    for (let length = 0; length < CHARACTERS; length += parts.at(-1)?.text.length ?? CHARACTERS) parts.push(this.#any())
    const sum = new Float32Array(parts[0]?.vector.length ?? 0)
    for (const { vector } of parts) for (let at = 0; at < sum.length; at += 1) sum[at] = (sum[at] ?? 0) + (vector[at] ?? 0)
    const length = Math.hypot(...sum)
    return { text: parts.map(({ text }) => `${text}.`).join(' '), vector: sum.map((value) => value / length) }
  }

  /** A question of five words, frequent and rare ones. */
  query(number: number): string {
    const words = this.#sentences[(number * 131) % this.#sentences.length]?.text.split(' ') ?? []
    return `what is the ${words.slice(number % 8, (number % 8) + 5).join(' ')}`
  }

  async floatsOf(query: string): Promise<Float32Array> {
    const known = this.#asked.get(query)
    if (known) return known
    const { embeddings } = await this.#ollama.embed({ model: MODEL, input: query })
    const vector = Float32Array.from(embeddings[0] ?? [])
    this.#asked.set(query, vector)
    return vector
  }

  async vectorOf(query: string): Promise<Uint8Array> {
    return new Uint8Array((await this.floatsOf(query)).buffer)
  }

  #any(): Sentence {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    const sentence = this.#sentences[this.#seed % this.#sentences.length]
    if (!sentence) throw new Error('the corpus is empty')
    return sentence
  }
}
