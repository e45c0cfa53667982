import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person, readEvents, textOf } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const CLI = join(import.meta.dirname, '../../cli/src/main.ts')
const QUESTION = 'What is the word of the lighthouse keeper?'
let system: TestSystem
beforeAll(async () => {
  system = await startTestSystem()
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const keeper = (word: string) => `# Keeper\n\nThe word of the lighthouse keeper is ${word}.\n`

async function ask(person: Person, more: Record<string, unknown> = {}) {
  const { events, done } = await person.chat(QUESTION, { cache: true, ...more })
  expect(textOf(events)).toBe(done.content)
  return { content: done.content, citations: done.citations, isCached: done.metadata.cached === true }
}

/** Asks until the answer is a kept one: after a change of rights none is kept for some seconds. */
const untilKept = (person: Person) => expect.poll(async () => (await ask(person)).isCached, { timeout: 30_000 }).toBe(true)

test('an answer from documents is given again with its citations, until a document is added, replaced or deleted', async () => {
  const ada = await system.newPerson('ada')
  await ada.upload([{ name: 'keeper.md', content: keeper('amber') }])
  const first = await ask(ada)
  expect(first).toMatchObject({ content: expect.stringContaining('amber'), isCached: false, citations: [{ index: 1 }] })
  expect(await ask(ada)).toEqual({ ...first, isCached: true })

  await ada.upload([{ name: 'keeper.md', content: keeper('cobalt') }])
  const replaced = await ask(ada)
  expect(replaced).toMatchObject({ content: expect.stringContaining('cobalt'), isCached: false })
  expect(replaced.content).not.toContain('amber')
  expect((await ask(ada)).isCached).toBe(true)

  const { documents } = (await ada.get('/v1/documents')).body
  expect((await ada.call('DELETE', `/v1/documents/${documents[0].id}`)).status).toBe(204)
  // The event of the deletion may still be on its way.
  await expect.poll(async () => (await ask(ada)).content, { timeout: 10_000 }).not.toContain('cobalt')
  await expect.poll(async () => (await ask(ada)).isCached, { timeout: 10_000 }).toBe(true)

  await ada.upload([{ name: 'other.md', content: keeper('indigo') }])
  expect(await ask(ada)).toMatchObject({ content: expect.stringContaining('indigo'), isCached: false })
}, 60_000)

test('a document of a group counts for each member, and a former member gets nothing of it', async () => {
  const [head, bob, cid] = [await system.newPerson('head'), await system.newPerson('bob'), await system.newPerson('cid')]
  const { id } = (await head.post('/v1/groups', { name: 'Harbour' })).body
  await head.post(`/v1/groups/${id}/members`, { username: 'bob' })
  const shelve = (word: string, name: string) => head.upload([{ name, content: keeper(word) }], { wait: 'true', group_id: id })
  await shelve('velvet', 'one.md')
  await expect.poll(async () => (await ask(bob)).content, { timeout: 20_000 }).toContain('velvet')
  await Promise.all([untilKept(bob), untilKept(head), untilKept(cid)])
  expect((await ask(cid)).content).not.toContain('velvet')

  await shelve('saffron', 'two.md')
  const both = await ask(bob)
  expect([both.isCached, both.content.includes('saffron')]).toEqual([false, true])
  expect((await ask(head)).isCached).toBe(false)
  // Of a group that is not theirs nothing changes for others.
  expect((await ask(cid)).isCached).toBe(true)
  await untilKept(bob)

  expect((await head.call('DELETE', `/v1/groups/${id}/members/${bob.id}`)).status).toBe(204)
  await expect.poll(async () => (await ask(bob)).content, { timeout: 5_000 }).not.toMatch(/velvet|saffron/)
  for (let i = 0; i < 5; i += 1) expect((await ask(bob)).content).not.toMatch(/velvet|saffron/)

  await head.post(`/v1/groups/${id}/members`, { username: 'cid' })
  await expect.poll(async () => (await ask(cid)).content, { timeout: 5_000 }).toMatch(/velvet|saffron/)
  expect((await head.call('DELETE', `/v1/groups/${id}`)).status).toBe(204)
  await expect.poll(async () => (await ask(cid)).content, { timeout: 5_000 }).not.toMatch(/velvet|saffron/)
}, 90_000)

test('every protocol takes the field, and the same answer serves them all', async () => {
  const dee = await system.newPerson('dee')
  await dee.upload([{ name: 'keeper.md', content: keeper('crimson') }])
  const { content } = await ask(dee)
  const messages = [{ role: 'user', content: QUESTION }]
  const chat = (await dee.post('/v1/chat', { text_input: QUESTION, cache: true, stream: false })).body
  expect(chat).toMatchObject({ content, metadata: { cached: true, tokens_in: 0, tokens_out: 0 } })
  expect((await dee.get(`/v1/runs/${chat.run_id}`)).body).toMatchObject({ status: 'success', steps: [] })
  const replay = await Array.fromAsync(readEvents(await dee.fetch(`/v1/runs/${chat.run_id}/events`)))
  expect(textOf(replay)).toBe(content)
  const simple = (await dee.post('/v1/simple-chat', { message: QUESTION, cache: true })).body
  expect(simple).toMatchObject({ content, metadata: { cached: true } })
  const completion = (await dee.post('/v1/chat/completions', { model: 'youworker', messages, cache: true })).body
  expect(completion).toMatchObject({ choices: [{ message: { content } }], usage: { total_tokens: 0 } })
  const stream = await dee.fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'youworker', messages, cache: true, stream: true, stream_options: { include_usage: true } }),
  })
  expect(await stream.text()).toContain('"total_tokens":0')
  const response = (await dee.post('/v1/responses', { input: QUESTION, cache: true })).body
  expect(response).toMatchObject({ status: 'completed', usage: { total_tokens: 0 }, output: [{ content: [{ text: content }] }] })
  expect((await dee.get(`/v1/responses/${response.id}`)).body.output).toEqual(response.output)
  // It has to say how long an answer may be, which makes it another question.
  const message = () => dee.post('/v1/messages', { model: 'youworker', max_tokens: 1_000, messages, cache: true })
  expect((await message()).body.usage.output_tokens).toBeGreaterThan(0)
  expect((await message()).body).toMatchObject({ content: [{ text: content }], usage: { output_tokens: 0 } })
  // Without the field the model is asked.
  expect((await dee.chat(QUESTION)).done.metadata.cached).toBeUndefined()
}, 60_000)

test('cache warm asks what a file has, again anew, and says what is wrong with it', async () => {
  const fay = await system.newPerson('fay')
  await fay.upload([{ name: 'keeper.md', content: keeper('jade') }])
  const dir = await mkdtemp(join(tmpdir(), 'youworker-warm-'))
  const warm = async (text: string) => {
    const file = join(dir, 'questions.txt')
    await writeFile(file, text)
    const env = { ...process.env, YOUWORKER_API_KEY: fay.key }
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'cache', 'warm', file, '--api', system.api], { env })
    return stdout
  }
  try {
    const questions = `${QUESTION}\n\n{"text_input": "What is jade?", "language": "de"}\n`
    expect(await warm(questions)).toContain('2 of 2 questions are answered: 2 now, 0 had an answer; 0 failed.')
    expect(await ask(fay)).toMatchObject({ content: expect.stringContaining('jade'), isCached: true })
    expect((await fay.chat('What is jade?', { cache: true, language: 'de' })).done.metadata.cached).toBe(true)
    const titles = async () =>
      (await fay.get('/v1/sessions')).body.sessions.filter(({ title }: { title: string }) => title.startsWith('Cache warm'))
    expect(await titles()).toHaveLength(2)
    // Those of the time before make way.
    expect(await warm(QUESTION)).toContain('1 of 1 questions are answered: 1 now')
    expect(await titles()).toHaveLength(1)
    const failing = (text: string) =>
      warm(text).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr)
    expect(await failing(`${QUESTION}\n{"text_input": "x", "max_iterations": 0}`)).toMatch(/Question 2: .*max_iterations/)
    expect(await failing('{"text_input": "x", "session_id": "y"}')).toContain('Line 1 has session_id')
    expect(await failing('{"text_input"')).toContain('Line 1 begins like JSON and is none')
    expect(await failing('\n')).toContain('The file has no question; write one a line')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}, 60_000)
