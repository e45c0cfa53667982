import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument, SpokenTime } from '../parsed-document.ts'
import { parseText } from './parse-text.ts'

interface Cue extends SpokenTime {
  readonly text: string
}

/** A paragraph that is longer ends with its sentence, and one that is much longer with its line. UTF-16 units. */
const PARAGRAPH = { usual: 400, most: 1_200 } as const
/** A longer silence ends a paragraph. In seconds. */
const SILENCE = 3

const TIMING = /^\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})\s*-->\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})/
const SPEAKER = /<v(?:\.[^\s<>]*)?\s([^<>]*)>/g
const TAG = /<[^<>]*>|\{\\[^{}]*\}/g
const SENTENCE_END = /[.!?…。！？]["')\]]*$/

/** WebVTT and SubRip: what is said, in paragraphs that know their time. */
export function parseCaptions(text: string): ParsedDocument {
  const cues = cuesOf(text)
  if (cues.length === 0) return parseText(text)
  const builder = new DocumentBuilder()
  for (const paragraph of paragraphsOf(cues)) {
    const [first, last] = [paragraph[0], paragraph.at(-1)]
    if (!first || !last) continue
    builder.add(paragraph.map(({ text: said }) => said).join(' '), { time: { start: first.start, end: last.end } })
  }
  return builder.finish()
}

function cuesOf(text: string): Cue[] {
  const cues: Cue[] = []
  let [time, said]: [SpokenTime | undefined, string[]] = [undefined, []]
  const end = () => {
    const line = said.join(' ').trim()
    if (time && line !== '') cues.push({ ...time, text: line })
    ;[time, said] = [undefined, []]
  }
  for (const line of text.split(/\r\n|\r|\n/)) {
    const timing = TIMING.exec(line)
    if (timing || line.trim() === '') end()
    if (timing) time = { start: secondsOf(timing.slice(1, 5)), end: secondsOf(timing.slice(5, 9)) }
    else if (time) said.push(line.replaceAll(SPEAKER, '$1: ').replaceAll(TAG, '').trim())
  }
  end()
  return cues
}

function secondsOf([hours = '0', minutes = '0', seconds = '0', fraction = '0']: readonly string[]): number {
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds) + Number(`0.${fraction}`)
}

function* paragraphsOf(cues: readonly Cue[]): Generator<readonly Cue[]> {
  let [paragraph, length]: [Cue[], number] = [[], 0]
  for (const cue of cues) {
    const last = paragraph.at(-1)
    const isSentence = length > PARAGRAPH.usual && SENTENCE_END.test(last?.text ?? '')
    if (last && (isSentence || length > PARAGRAPH.most || cue.start - last.end > SILENCE)) {
      yield paragraph
      ;[paragraph, length] = [[], 0]
    }
    paragraph.push(cue)
    length += cue.text.length
  }
  if (paragraph.length > 0) yield paragraph
}
