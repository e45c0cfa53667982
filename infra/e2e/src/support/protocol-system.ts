import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateText, isStepCount, type LanguageModel, streamText, tool } from 'ai'
import { expect } from 'vitest'
import { z } from 'zod'
import type { Person } from './person.ts'
import { startTestSystem, type TestSystem } from './system.ts'

export const QUESTION = 'Through how many countries does the Danube flow?'
/** What the model says to whoever asks it to count. */
export const COUNT = Array.from({ length: 60 }, (_, n) => `${n}`).join(' ')

export interface ProtocolSystem extends AsyncDisposable {
  readonly system: TestSystem
  /** Has a document that answers {@link QUESTION}. */
  readonly ada: Person
}

/** For clients of other protocols: a system with a model that counts, repeats, fails and asks for the weather. `rules` come first. */
export async function startProtocolSystem(rules: readonly object[] = []): Promise<ProtocolSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-protocol-'))
  const script = join(dir, 'script.json')
  const weather = { name: 'get_weather', arguments: { city: 'Ulm' } }
  const usual = [
    { match: { contains: 'Count' }, reply: { text: COUNT, tokens_per_second: 100 } },
    { match: { contains: 'Repeat the conversation' }, reply: { echo: true } },
    { match: { contains: 'Fail' }, reply: { status: 400 } },
    { match: { contains: 'weather', last_role: 'user' }, reply: { text: 'I will look.', tool_calls: [weather] } },
    { match: { contains: 'weather' }, reply: { echo: true } },
  ]
  await writeFile(script, JSON.stringify({ rules: [...rules, ...usual] }))
  const system = await startTestSystem({ script })
  const ada = await system.newPerson('ada')
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
  return {
    system,
    ada,
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The AI SDK asks, streams and runs a tool through one of its providers. */
export async function expectAiSdkWorks(model: LanguageModel): Promise<void> {
  const whole = await generateText({ model, prompt: QUESTION })
  expect(whole).toMatchObject({ text: expect.stringContaining('ten countries'), finishReason: 'stop' })
  expect(whole.usage.outputTokens).toBeGreaterThan(0)
  const streamed = streamText({ model, prompt: 'Count' })
  expect((await Array.fromAsync(streamed.textStream)).join('')).toBe(COUNT)
  const get_weather = tool({
    description: 'The weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `Sunny in ${city}`,
  })
  const prompt = 'What is the weather in Ulm?'
  const looked = await generateText({ model, prompt, tools: { get_weather }, stopWhen: isStepCount(3) })
  expect((JSON.parse(looked.text) as unknown[]).at(-1)).toEqual({ role: 'tool', content: 'Sunny in Ulm' })
}
