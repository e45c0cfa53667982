import { createOpenAI } from '@ai-sdk/openai'
import { HumanMessage, type ToolMessage } from '@langchain/core/messages'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { generateText, Output } from 'ai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Person } from './support/person.ts'
import { COUNT, expectAiSdkWorks, type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'

let protocol: ProtocolSystem
let ada: Person
beforeAll(async () => {
  protocol = await startProtocolSystem([{ match: { contains: 'As JSON' }, reply: { text: '{"river":"Danube"}' } }])
  ada = protocol.ada
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

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
  await expectAiSdkWorks(model)
  const { output } = await generateText({
    model,
    prompt: 'As JSON',
    output: Output.object({ schema: z.object({ river: z.string() }) }),
  })
  expect(output).toEqual({ river: 'Danube' })
})
