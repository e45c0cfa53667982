import { generateKeyPairSync } from 'node:crypto'
import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { Env } from './config.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const env = {
  APP_ENV: 'production',
  DATABASE__URL: 'postgresql://auth:x@db/x',
  NATS__URL: 'nats://auth:x@nats',
  SECURITY__JWT_PRIVATE_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const AUDIT_KEY = '1:mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM'
const read = (key: string, APP_ENV = 'production', SECURITY__AUDIT_KEY = AUDIT_KEY) =>
  readEnv(Env, { ...env, APP_ENV, SECURITY__ROOT_API_KEY: key, SECURITY__AUDIT_KEY })

test('production accepts only long random root keys', () => {
  expect(() => read(`yw_${'Ab1-'.repeat(10)}xyz`)).not.toThrow()
  expect(() => read('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b')).not.toThrow()
  for (const weak of ['short-but-16-chars', 'a'.repeat(64), 'please-change-me-0123456789-abcdefgh']) {
    expect(() => read(weak)).toThrow('SECURITY__ROOT_API_KEY')
    expect(() => read(weak, 'development')).not.toThrow()
  }
  expect(() => read('tiny', 'development')).toThrow('SECURITY__ROOT_API_KEY')
})

test('the ring of the audit trail holds numbered keys of 32 bytes, and in production random ones', () => {
  const strong = `yw_${'Ab1-'.repeat(10)}xyz`
  const withRing = (ring: string, APP_ENV = 'production') => read(strong, APP_ENV, ring)
  expect(() => withRing(`${AUDIT_KEY},2:${AUDIT_KEY.slice(2).split('').reverse().join('')}`)).not.toThrow()
  for (const wrong of ['1:short', '0:mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM', `${AUDIT_KEY},${AUDIT_KEY}`])
    expect(() => withRing(wrong, 'development')).toThrow('SECURITY__AUDIT_KEY')
  const weak = `1:${'A'.repeat(43)}`
  expect(() => withRing(weak)).toThrow(/SECURITY__AUDIT_KEY: is weak/)
  expect(() => withRing(`${AUDIT_KEY},2:${'abcd'.repeat(11).slice(0, 43)}`)).toThrow(/SECURITY__AUDIT_KEY: is weak/)
  expect(() => withRing(weak, 'development')).not.toThrow()
})

test('every missing setting is named at once', () => {
  expect(() => readEnv(Env, {})).toThrow(
    /DATABASE__URL[^]*NATS__URL[^]*SECURITY__ROOT_API_KEY[^]*SECURITY__JWT_PRIVATE_KEY[^]*SECURITY__AUDIT_KEY/,
  )
})

test('a key that signs nothing is refused together with what else is wrong, and without its value', () => {
  for (const key of ['hunter2', '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'])
    expect(() => readEnv(Env, { ...env, SECURITY__JWT_PRIVATE_KEY: key, SECURITY__ROOT_API_KEY: 'x' })).toThrow(
      /^(?![^]*hunter2)[^]*ROOT_API_KEY: must have[^]*JWT_PRIVATE_KEY: [^]*keys generate/,
    )
})
