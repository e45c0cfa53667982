import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { Env } from './config.ts'

const env = {
  APP_ENV: 'production',
  DATABASE__URL: 'postgresql://auth:x@db/x',
  NATS__URL: 'nats://auth:x@nats',
  SECURITY__JWT_PRIVATE_KEY: 'pem',
}
const read = (key: string, APP_ENV = 'production') => readEnv(Env, { ...env, APP_ENV, SECURITY__ROOT_API_KEY: key })

test('production accepts only long random root keys', () => {
  expect(() => read(`yw_${'Ab1-'.repeat(10)}xyz`)).not.toThrow()
  expect(() => read('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b')).not.toThrow()
  for (const weak of ['short-but-16-chars', 'a'.repeat(64), 'please-change-me-0123456789-abcdefgh']) {
    expect(() => read(weak)).toThrow('SECURITY__ROOT_API_KEY')
    expect(() => read(weak, 'development')).not.toThrow()
  }
  expect(() => read('tiny', 'development')).toThrow('SECURITY__ROOT_API_KEY')
})

test('every missing setting is named at once', () => {
  expect(() => readEnv(Env, {})).toThrow(/DATABASE__URL[^]*NATS__URL[^]*SECURITY__ROOT_API_KEY[^]*SECURITY__JWT_PRIVATE_KEY/)
})
