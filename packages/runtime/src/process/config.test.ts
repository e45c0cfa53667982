import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkTogether, commaList, ConfigError, databaseEnv, httpUrl, integer, natsEnv, processEnv, readEnv } from './config.ts'

const Env = z.object({ ...processEnv, ...databaseEnv, ...natsEnv })
const good = { DATABASE__URL: 'postgresql://a:b@localhost/x', NATS__URL: 'nats://localhost:4222' }

test('names every missing and invalid setting at once', () => {
  const read = () => readEnv(Env, { HEALTH__PORT: 'eighty', NATS__URL: '' })
  expect(read).toThrow(ConfigError)
  expect(read).toThrow(/DATABASE__URL is not set[\s\S]*NATS__URL is not set|NATS__URL is not set[\s\S]*DATABASE__URL is not set/)
  expect(read).toThrow(/HEALTH__PORT: "eighty" must be a whole number from 0 to 65535/)
})

test('shows a wrong value, and never one that may be a secret', () => {
  const Plain = z.object({ URL: httpUrl, LEVEL: z.enum(['a', 'b']).optional(), KEY: z.string().min(20).optional() })
  expect(() => readEnv(Plain, { URL: 'localhost:11434' })).toThrow(
    /URL: "localhost:11434" has no scheme; write http:\/\/localhost:11434$/,
  )
  expect(() => readEnv(Plain, { URL: 'ftp://h', LEVEL: 'c' })).toThrow(
    /URL: "ftp:\/\/h" must be an http.*\n {2}LEVEL: "c" must be one of: a, b$/,
  )
  expect(() => readEnv(Plain, { URL: `x${'y'.repeat(500)}\u001B[2J` })).toThrow(/^.{0,200}…" must be/m)
  const withoutValue = /^(?![^]*hunter2)[^]*URL: /
  expect(() => readEnv(Env, { ...good, DATABASE__URL: 'hunter2' })).toThrow(withoutValue)
  for (const URL of ['user:hunter2@host', 'ftp://user:hunter2@host', 'ftp://host?token=hunter2'])
    expect(() => readEnv(Plain, { URL })).toThrow(withoutValue)
})

test('a check of several settings together runs also when another one is wrong, without it', () => {
  const Both = checkTogether(z.object({ A: integer(1, 9), B: integer(1, 9), C: integer(1, 9) }), ({ A, B, C }, refuse) => {
    if (C !== undefined) throw new Error('C is wrong')
    if (A !== undefined && B !== undefined && A > B) refuse('A', 'is more than B')
  })
  expect(() => readEnv(Both, { A: '3', B: '2', C: 'x' })).toThrow(/C: "x" must be[^]*A: "3" is more than B/)
})

test.each(['', ' ', '1e3', '0x10', '-1', '1.5', '70000', '9'.repeat(400)])('%j is no port', (HEALTH__PORT) => {
  const read = () => readEnv(z.object({ HEALTH__PORT: integer(0, 65_535) }), { HEALTH__PORT })
  expect(read).toThrow(HEALTH__PORT === '' ? /is not set/ : /from 0 to 65535/)
})

test('a URL of several NATS servers is accepted, a password with a lone % is refused', () => {
  expect(readEnv(Env, { ...good, NATS__URL: 'nats://u:p@a:4222, nats://b:4222' }).NATS__URL).toContain('b:4222')
  for (const name of ['NATS__URL', 'DATABASE__URL'] as const)
    expect(() => readEnv(Env, { ...good, [name]: good[name].replace('//', '//u:50%@') })).toThrow(
      new RegExp(`${name}: has a %.*write %25`),
    )
})

test('accepts the spellings of the published `.env`', () => {
  const config = readEnv(Env, { ...good, DATABASE__URL: 'postgresql+asyncpg://u:p@db:5432/y', LOG_LEVEL: 'WARNING' })
  expect(config).toMatchObject({ DATABASE__URL: 'postgresql://u:p@db:5432/y', LOG_LEVEL: 'warn', DATABASE__POOL_SIZE: 10 })
})

test('reads a secret from NAME_FILE and reports a missing file', async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), 'youworker-config-'))
  const file = join(dir.path, 'url')
  await writeFile(file, `${good.DATABASE__URL}\n`)
  expect(readEnv(Env, { NATS__URL: good.NATS__URL, DATABASE__URL_FILE: file }).DATABASE__URL).toBe(good.DATABASE__URL)
  expect(() => readEnv(Env, { NATS__URL: good.NATS__URL, DATABASE__URL_FILE: `${file}.gone` })).toThrow(
    /DATABASE__URL_FILE: .*does not exist/,
  )
})

test('a comma list drops blanks', () => {
  expect(commaList.parse(' a, ,b,')).toEqual(['a', 'b'])
})
