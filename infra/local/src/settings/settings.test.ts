import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGivenSettings } from './settings.ts'
import { unknownNames } from './unknown-names.ts'

test('settings come from files too, and a value that the start chooses does not stand beside one', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'youworker-given-'))
  const dir = folder.path
  const file = async (name: string, content: string) => {
    await writeFile(join(dir, name), content)
    return join(dir, name)
  }
  const given = readGivenSettings({
    DATABASE__ADMIN_URL_FILE: await file('database', 'postgres://a:b@db/x\n'),
    LLM__OLLAMA_BASE_URL_FILE: await file('ollama', 'http://model:11434\n'),
    SSL_CERT_FILE: '/etc/ssl/cert.pem',
  })
  expect(given).toMatchObject({ adminUrl: 'postgresql://a:b@db/x', ollamaUrl: 'http://model:11434' })
  expect(given.env).toEqual({
    DATABASE__ADMIN_URL: 'postgres://a:b@db/x',
    LLM__OLLAMA_BASE_URL: 'http://model:11434',
    SSL_CERT_FILE: '/etc/ssl/cert.pem',
  })
  const wrong = {
    SECURITY__ROOT_API_KEY: 'a',
    SECURITY__ROOT_API_KEY_FILE: join(dir, 'database'),
    NATS__URL_FILE: join(dir, 'gone'),
  }
  expect(readGivenSettings(wrong).faults).toEqual([
    expect.stringContaining('SECURITY__ROOT_API_KEY and SECURITY__ROOT_API_KEY_FILE are both set'),
    expect.stringMatching(/NATS__URL_FILE: .* does not exist/),
  ])
})

test('a name that is no setting is told with the nearest one that is, in the file and in the environment', () => {
  const known = new Set(['API__PORT', 'DATABASE__URL', 'LLM__OLLAMA_BASE_URL', 'LOG_LEVEL'])
  const told = (inFile: string[], env: Record<string, string> = {}) => unknownNames({ inFile, env, known })
  expect(told(['API__PROT', 'log_level', 'LLM__OLLAMA_URL', 'ROOT_APIKEY', 'FOO_BAR'])).toEqual([
    'API__PROT in .env is no setting and changes nothing. Did you mean API__PORT?',
    'log_level in .env is no setting and changes nothing. Did you mean LOG_LEVEL?',
    'LLM__OLLAMA_URL in .env is no setting and changes nothing. Did you mean LLM__OLLAMA_BASE_URL?',
    'ROOT_APIKEY in .env is no setting and changes nothing. Did you mean ROOT_API_KEY?',
    'FOO_BAR in .env is no setting and changes nothing. All settings are in .env.example.',
  ])
  expect(told(['API__PORT', 'DATABASE__URL_FILE', 'POSTGRES_PASSWORD_AUTH', 'SITE_ADDRESS', 'HTTPS_PROXY'])).toEqual([])
  expect(told(['STT_MODEL', 'RETRY__MAX_WAIT'])).toEqual(['Without effect in this version: STT_MODEL, RETRY__MAX_WAIT.'])
  expect(told([], { DATABSE__URL: 'x', LLM_OLLAMA_BASE_URL: 'x', EDITOR: 'vi', GIT__X: 'x', STT_MODEL: 'x' })).toEqual([
    'DATABSE__URL is no setting and changes nothing. Did you mean DATABASE__URL?',
    'LLM_OLLAMA_BASE_URL is no setting and changes nothing. Did you mean LLM__OLLAMA_BASE_URL?',
  ])
  // Bounded, whatever the file contains.
  const many = told(Array.from({ length: 5_000 }, (_, n) => `${'N'.repeat(n)}_${n}`))
  expect(many).toHaveLength(21)
  expect(Math.max(...many.map((line) => line.length))).toBeLessThan(200)
})
