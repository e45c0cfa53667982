import { AGENT_MODEL } from '../../protocols/agent-model.ts'
import { refusal } from '../../protocols/run-input.ts'

/** Names of OpenAI's own models, which programs have as a default: they mean the one that is here. */
const USUAL = { transcribes: ['whisper-1'], speaks: ['tts-1'] } as const

/** One model of each kind is set up; a name of any other one would make the server load or fetch it. */
export function requireModel(asked: string, own: string, kind: keyof typeof USUAL): void {
  if ([own, AGENT_MODEL, ...USUAL[kind]].includes(asked)) return
  throw refusal('model', `Only the model ${own} ${kind} here`)
}
