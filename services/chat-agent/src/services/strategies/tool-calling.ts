import { CITE, USE_TOOLS } from './rules.ts'
import type { Strategy } from './strategy.ts'

/** The model calls tools by itself. */
export const toolCalling: Strategy = {
  offersTools: true,
  prompt: (tools, plain) => (plain || tools.length === 0 ? '' : `${USE_TOOLS}\n${CITE}`),
  opening: () => [],
  asked: (call) => call,
  read: (chunks) => chunks,
}
