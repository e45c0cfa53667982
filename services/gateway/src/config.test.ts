import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { Env } from './config.ts'

const base = { NATS__URL: 'nats://gateway:pw@127.0.0.1:4222', SECURITY__CSRF_SECRET: 'yb3-KQn0w_9sLxTfZ2aVhU7eRmP4dGjC' }
const read = (env: Record<string, string>) => readEnv(Env, { ...base, ...env })

test('lists and defaults', () => {
  const config = read({
    FRONTEND_ORIGIN: 'https://a.example.org/, http://localhost:3000',
    SECURITY__TRUSTED_PROXIES: '10.0.0.0/8,::1',
  })
  expect(config.FRONTEND_ORIGIN).toEqual(['https://a.example.org', 'http://localhost:3000'])
  expect(config.SECURITY__TRUSTED_PROXIES).toEqual(['10.0.0.0/8', '::1'])
  expect(config).toMatchObject({
    API__HOST: '127.0.0.1',
    API__PORT: 8_001,
    SECURITY__AUTHENTIK_ENABLED: false,
    SECURITY__RATE_LIMITS: 'on',
  })
})

test.each([
  [{ FRONTEND_ORIGIN: '*' }],
  [{ FRONTEND_ORIGIN: 'https://*.example.org' }],
  [{ FRONTEND_ORIGIN: 'https://a.example.org/path' }],
  [{ SECURITY__TRUSTED_PROXIES: 'proxy.example.org' }],
  [{ SECURITY__CSRF_SECRET: 'short' }],
])('%j is refused in every environment', (env) => {
  expect(() => read(env)).toThrow(Object.keys(env)[0])
})

test.each([
  [{ SECURITY__RATE_LIMITS: 'off' }],
  [{ SECURITY__CSRF_SECRET: 'change-me-change-me-change-me-change-me' }],
  [{ SECURITY__CSRF_SECRET: 'a'.repeat(64) }],
])('%j is refused in production', (env) => {
  expect(() => read(env)).not.toThrow()
  expect(() => read({ ...env, APP_ENV: 'production' })).toThrow(Object.keys(env)[0])
})

test('a valid configuration is accepted in production', () => {
  expect(() => read({ APP_ENV: 'production' })).not.toThrow()
})
