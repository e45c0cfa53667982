import type { ModelChunk, ModelToolCall } from '../models/model-port.ts'
import { readArguments } from '../tools/tool-arguments.ts'

/** Each begins a line. */
export const MARK = {
  thought: 'Thought:',
  action: 'Action:',
  input: 'Action Input:',
  observation: 'Observation:',
  answer: 'Final Answer:',
} as const
type Mark = keyof typeof MARK

const MARKS = Object.entries(MARK) as [Mark, string][]
/** UTF-16 units. */
const MOST = { name: 200, input: 64 * 1024, thought: 64 * 1024 } as const
const FENCE = '```'

/** Finds thoughts, one call or the answer in what a model writes. A text that begins without a mark is the answer. */
export class ReactReader {
  #part: Mark | 'start' | 'over' = 'start'
  /** The rest of the text, which may be the beginning of a mark. */
  #held = ''
  #isLineStart = true
  #thought = ''
  #name = ''
  #input = ''
  #hasAnswer = false

  /** Nothing that may follow counts. */
  get isOver(): boolean {
    return this.#part === 'over'
  }

  push(text: string): Pick<ModelChunk, 'text' | 'thinking'> {
    return this.#read(text, false)
  }

  /** The rest, with the call that the model wants. Whoever did not come to an answer has answered with the thought. */
  end(): Pick<ModelChunk, 'text' | 'thinking' | 'tool_calls'> {
    const rest = this.#read('', true)
    const name = this.#name.replaceAll('`', '').trim()
    if (name !== '') return { ...rest, tool_calls: [{ name, arguments: readArguments(unfenced(this.#input)) }] }
    return { ...rest, text: this.#hasAnswer ? rest.text : this.#thought.trim(), tool_calls: [] }
  }

  #read(added: string, isEnd: boolean): Pick<ModelChunk, 'text' | 'thinking'> {
    const out = { text: '', thinking: '' }
    let text = this.#held + added
    this.#held = ''
    while (text !== '' && !this.isOver) {
      if (this.#part === 'answer') {
        this.#answer(text, out)
        break
      }
      if (this.#isLineStart) {
        const begun = text.trimStart()
        this.#take(text.slice(0, text.length - begun.length), out)
        text = begun
        const mark = MARKS.find(([, words]) => begun.startsWith(words))
        if (mark) {
          text = begun.slice(mark[1].length)
          this.#enter(mark[0])
          continue
        }
        if (!isEnd && MARKS.some(([, words]) => words.startsWith(begun))) {
          this.#held = begun
          break
        }
        this.#isLineStart = false
        if (this.#part === 'start') {
          this.#part = 'answer'
          continue
        }
      }
      const end = text.indexOf('\n') + 1 || text.length
      this.#isLineStart = text[end - 1] === '\n'
      this.#take(text.slice(0, end), out)
      text = text.slice(end)
    }
    return out
  }

  #enter(mark: Mark): void {
    const hasCall = this.#name.trim() !== ''
    this.#isLineStart = false
    // A result that the model makes up itself, and all that it concludes from it.
    const isMadeUp = mark === 'observation' || (hasCall && mark !== 'input')
    if (isMadeUp) this.#part = 'over'
    else if (mark !== 'input' || hasCall) this.#part = mark
  }

  #take(text: string, out: { text: string; thinking: string }): void {
    if (this.#part === 'thought') {
      out.thinking += text
      this.#thought = (this.#thought + text).slice(0, MOST.thought)
    } else if (this.#part === 'action') this.#name += this.#name.includes('\n') ? '' : text
    else if (this.#part === 'input') this.#input += text
    if (this.#name.length > MOST.name || this.#input.length > MOST.input) this.#part = 'over'
  }

  #answer(text: string, out: { text: string }): void {
    out.text += this.#hasAnswer ? text : text.trimStart()
    this.#hasAnswer ||= out.text !== ''
  }
}

/** Without the fence in which many models put JSON. */
function unfenced(text: string): string {
  const trimmed = text.trim()
  const isFenced = trimmed.startsWith(FENCE) && trimmed.endsWith(FENCE) && trimmed.includes('{')
  return isFenced ? trimmed.slice(trimmed.indexOf('{'), -FENCE.length) : trimmed
}

/** With the calls that a model wrote as text. What it writes behind a call is not read. */
export async function* readReact(chunks: AsyncIterable<ModelChunk>): AsyncGenerator<ModelChunk> {
  const reader = new ReactReader()
  const called: ModelToolCall[] = []
  for await (const chunk of chunks) {
    called.push(...chunk.tool_calls)
    yield { ...chunk, ...reader.push(chunk.text) }
    if (reader.isOver) break
  }
  const end = reader.end()
  // Some call tools although nobody said that they can.
  yield called.length > 0 ? { ...end, text: '', tool_calls: [] } : end
}
