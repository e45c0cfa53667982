import { expect, test } from 'vitest'
import { withPublishedNames } from './published-names.ts'

const all = () => true

test('names of both generations of the published system are read, and each is told once without its value', () => {
  const { env, notices } = withPublishedNames(
    {
      DATABASE_URL: 'postgresql+asyncpg://u:hunter2@db/x',
      ROOT_API_KEY: 'hunter2',
      OLLAMA__BASE_URL: 'http://ollama:11434',
      DB_SLOW_QUERY_THRESHOLD: '0.25',
      API__LOG_LEVEL: 'INFO',
      CHAT_MODEL: '',
      PATH: '/bin',
    },
    all,
  )
  expect(env).toEqual({
    DATABASE__URL: 'postgresql+asyncpg://u:hunter2@db/x',
    SECURITY__ROOT_API_KEY: 'hunter2',
    LLM__OLLAMA_BASE_URL: 'http://ollama:11434',
    DATABASE__SLOW_QUERY_MS: '250',
    LOG_LEVEL: 'INFO',
    CHAT_MODEL: '',
    PATH: '/bin',
  })
  expect(notices.toSorted()).toEqual([
    'API__LOG_LEVEL is read as LOG_LEVEL.',
    'DATABASE_URL is read as DATABASE__URL.',
    'DB_SLOW_QUERY_THRESHOLD is read as DATABASE__SLOW_QUERY_MS.',
    'OLLAMA__BASE_URL is read as LLM__OLLAMA_BASE_URL.',
    'ROOT_API_KEY is read as SECURITY__ROOT_API_KEY.',
  ])
})

test('our own name wins, also from a file; what a process does not know stays', () => {
  const given = { API_PORT: '1', API__PORT: '2', ROOT_API_KEY: 'a', SECURITY__ROOT_API_KEY_FILE: '/key' }
  const { env, notices } = withPublishedNames(given, all)
  expect(env).toEqual({ API__PORT: '2', SECURITY__ROOT_API_KEY_FILE: '/key' })
  expect(notices).toEqual([
    'ROOT_API_KEY is not used, because SECURITY__ROOT_API_KEY is set too.',
    'API_PORT is not used, because API__PORT is set too.',
  ])
  expect(withPublishedNames(given, (name) => name === 'LLM__CHAT_MODEL')).toEqual({ env: given, notices: [] })
})

test('a shared JWT secret is answered with what to do', () => {
  const told = ({ notices }: { notices: readonly string[] }) => notices.join()
  expect(told(withPublishedNames({ JWT_SECRET: 'x' }, all))).toMatch(/JWT is RS256 now: run npm run youworker -- keys generate/)
  expect(told(withPublishedNames({ SECURITY__JWT_SECRET: 'x', SECURITY__JWT_PRIVATE_KEY: 'k' }, all))).toBe('')
})
