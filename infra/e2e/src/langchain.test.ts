import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOpenAI } from '@ai-sdk/openai'
import { HumanMessage, type ToolMessage } from '@langchain/core/messages'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { generateText, isStepCount, Output, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person
let dir: string
const QUESTION = 'Through how many countries does the Danube flow?'
const COUNT = Array.from({ length: 40 }, (_, n) => `${n}`).join(' ')

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-langchain-'))
  const script = join(dir, 'script.json')
  const weather = { name: 'get_weather', arguments: { city: 'Ulm' } }
  const rules = [
    { match: { contains: 'Count' }, reply: { text: COUNT, tokens_per_second: 100 } },
    { match: { contains: 'As JSON' }, reply: { text: '{"river":"Danube"}' } },
    { match: { contains: 'Repeat the conversation' }, reply: { echo: true } },
    { match: { contains: 'Fail' }, reply: { status: 400 } },
    { match: { contains: 'weather', last_role: 'user' }, reply: { text: 'I will look.', tool_calls: [weather] } },
    { match: { contains: 'weather' }, reply: { echo: true } },
  ]
  await writeFile(script, JSON.stringify({ rules }))
  system = await startTestSystem({ script })
  ada = await system.newPerson('ada')
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
}, 120_000)
afterAll(async () => {
  await system[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const server = () => ({ apiKey: ada.key ?? '', configuration: { baseURL: `${ada.api}/v1` } })
const getWeather = langchainTool(({ city }) => `Sunny in ${city}`, {
  name: 'get_weather',
  description: 'The weather of a city',
  schema: z.object({ city: z.string() }),
})

describe.each([false, true])('LangChain with useResponsesApi: %s', (useResponsesApi) => {
  const chat = (more: object = {}) => new ChatOpenAI({ model: 'youworker', ...server(), useResponsesApi, ...more })

  test('asks, and streams', async () => {
    const answer = await chat().invoke(QUESTION)
    expect(answer.text).toContain('ten countries')
    expect(answer.usage_metadata).toMatchObject({ output_tokens: expect.any(Number) })
    const pieces: string[] = []
    for await (const { text } of await chat().stream('Count to forty')) if (text !== '') pieces.push(text)
    expect(pieces.length).toBeGreaterThan(5)
    expect(pieces.join('')).toBe(COUNT)
  })

  test('runs tools', async () => {
    const model = chat().bindTools([getWeather])
    const question = new HumanMessage('What is the weather in Ulm?')
    const called = await model.invoke([question])
    expect(called.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Ulm' } }])
    const results = await Promise.all(
      (called.tool_calls ?? []).map(async (call) => (await getWeather.invoke(call)) as ToolMessage),
    )
    const answer = await model.invoke([question, called, ...results])
    const seen = JSON.parse(answer.text) as unknown[]
    expect(seen.slice(-2)).toEqual([
      { role: 'assistant', content: 'I will look.' },
      { role: 'tool', content: 'Sunny in Ulm' },
    ])
    let streamed = undefined
    for await (const chunk of await model.stream([question])) streamed = streamed ? streamed.concat(chunk) : chunk
    expect(streamed?.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Ulm' } }])
  })

  test('gets answers in a form', async () => {
    const model = chat({ model: 'youworker-offline' }).withStructuredOutput(z.object({ river: z.string() }), {
      method: 'jsonSchema',
    })
    expect(await model.invoke('As JSON')).toEqual({ river: 'Danube' })
  })

  test('gives up', async () => {
    // By itself it repeats every 5xx, whatever the answer says about that.
    await expect(chat({ maxRetries: 0 }).invoke('Fail')).rejects.toMatchObject({ status: 502 })
  })
})

test('LangChain gets vectors', async () => {
  const embeddings = new OpenAIEmbeddings({ model: 'youworker', ...server() })
  const [first, second] = await embeddings.embedDocuments(['The Danube', 'A river'])
  expect(first?.length).toBeGreaterThan(100)
  expect(second).toHaveLength(first?.length ?? 0)
  expect(await embeddings.embedQuery('The Danube')).toEqual(first)
})

test("the AI SDK's provider of responses asks, streams and runs tools", async () => {
  const model = createOpenAI({ baseURL: `${ada.api}/v1`, apiKey: ada.key ?? '' }).responses('youworker')
  const whole = await generateText({ model, prompt: QUESTION })
  expect(whole).toMatchObject({ text: expect.stringContaining('ten countries'), finishReason: 'stop' })
  expect(whole.usage.outputTokens).toBeGreaterThan(0)
  const streamed = streamText({ model, prompt: 'Count to forty' })
  expect((await Array.fromAsync(streamed.textStream)).join('')).toBe(COUNT)
  const get_weather = tool({
    description: 'The weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `Sunny in ${city}`,
  })
  const looked = await generateText({
    model,
    prompt: 'What is the weather in Ulm?',
    tools: { get_weather },
    stopWhen: isStepCount(3),
  })
  expect((JSON.parse(looked.text) as unknown[]).at(-1)).toEqual({ role: 'tool', content: 'Sunny in Ulm' })
  const { output } = await generateText({
    model,
    prompt: 'As JSON',
    output: Output.object({ schema: z.object({ river: z.string() }) }),
  })
  expect(output).toEqual({ river: 'Danube' })
})
