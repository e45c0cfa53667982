import type { FileSearch } from '@youworker/contracts/agent/file-search'
import type { ModelTool } from '../models/model-port.ts'
import type { Strategy } from '../strategies/strategy.ts'

const NAMES = new Intl.DisplayNames('en', { type: 'language' })

const baseOf = (language: string) => `You are YouWorker, an assistant that answers from the user's own documents and tools.
Answer in ${language}, plainly and to the point.`

/** In words, for a prompt. */
export const languageName = (language: string | undefined): string =>
  language === undefined ? 'the language of the question' : (NAMES.of(language) ?? language)

interface Prompted {
  /** The model itself, which is told only what it cannot do without. */
  readonly plain?: boolean | undefined
  /** It is to name what it finds. */
  readonly file_search?: FileSearch | undefined
  /** The tag of the answer's; by default that of the question. */
  readonly language?: string | undefined
}

/** What the agent tells the model, before what the session and the client tell it. */
export const ownPrompt = (
  { plain = false, language, file_search }: Prompted,
  strategy: Strategy,
  tools: readonly ModelTool[],
): string =>
  [plain ? '' : baseOf(languageName(language)), strategy.prompt(tools, plain && file_search === undefined)]
    .filter((text) => text !== '')
    .join('\n')
