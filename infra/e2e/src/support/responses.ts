import OpenAI from 'openai'
import type { Person } from './person.ts'

export type Response = OpenAI.Responses.Response
export type Event = OpenAI.Responses.ResponseStreamEvent

export const clientOf = (person: Person, more: object = {}) =>
  new OpenAI({ baseURL: `${person.api}/v1`, apiKey: person.key ?? '', ...more })

export const agent = { model: 'youworker' } as const
export const raw = { model: 'youworker-offline' } as const
export const WEATHER: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  strict: false,
}

export const numbersOf = (events: readonly Event[]) => events.map(({ sequence_number }) => sequence_number)
/** The events without runs of the same type. */
export const shapeOf = (events: readonly Event[]) => events.map(({ type }) => type).filter((type, n, all) => type !== all[n - 1])
/** What a model that repeats the conversation was given. */
export const seenBy = ({ output_text }: Response) => JSON.parse(output_text) as { role: string; content: string }[]
