import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { commaList, ConfigError, databaseEnv, natsEnv, processEnv, readEnv } from './config.ts'

const Env = z.object({ ...processEnv, ...databaseEnv, ...natsEnv })
const good = { DATABASE__URL: 'postgresql://a:b@localhost/x', NATS__URL: 'nats://localhost:4222' }

test('names every missing and invalid setting at once', () => {
  const read = () => readEnv(Env, { HEALTH__PORT: 'eighty', NATS__URL: '' })
  expect(read).toThrow(ConfigError)
  expect(read).toThrow(/DATABASE__URL is not set[\s\S]*NATS__URL is not set|NATS__URL is not set[\s\S]*DATABASE__URL is not set/)
  expect(read).toThrow(/HEALTH__PORT: /)
})

test('never prints an invalid value, which may be a secret', () => {
  expect(() => readEnv(Env, { ...good, DATABASE__URL: 'hunter2' })).toThrow(/^(?![\s\S]*hunter2)[\s\S]*DATABASE__URL: must be/)
})

test('accepts the spellings of the published `.env`', () => {
  const config = readEnv(Env, { ...good, DATABASE__URL: 'postgresql+asyncpg://u:p@db:5432/y', LOG_LEVEL: 'WARNING' })
  expect(config).toMatchObject({ DATABASE__URL: 'postgresql://u:p@db:5432/y', LOG_LEVEL: 'warn', DATABASE__POOL_SIZE: 10 })
})

test('reads a secret from NAME_FILE and reports a missing file', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'youworker-config-')), 'url')
  await writeFile(file, `${good.DATABASE__URL}\n`)
  expect(readEnv(Env, { NATS__URL: good.NATS__URL, DATABASE__URL_FILE: file }).DATABASE__URL).toBe(good.DATABASE__URL)
  expect(() => readEnv(Env, { NATS__URL: good.NATS__URL, DATABASE__URL_FILE: `${file}.gone` })).toThrow(
    /DATABASE__URL_FILE: .*does not exist/,
  )
})

test('a comma list drops blanks', () => {
  expect(commaList.parse(' a, ,b,')).toEqual(['a', 'b'])
})
