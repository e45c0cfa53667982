import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { StartError } from '../start-error.ts'
import { readGivenSettings } from './settings.ts'

test('settings come from files too, and a value that the start chooses does not stand beside one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-given-'))
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
  const both = { SECURITY__ROOT_API_KEY: 'a', SECURITY__ROOT_API_KEY_FILE: join(dir, 'database') }
  expect(() => readGivenSettings(both)).toThrow(StartError)
  expect(() => readGivenSettings(both)).toThrow(/both set/)
  expect(() => readGivenSettings({ NATS__URL_FILE: join(dir, 'gone') })).toThrow(/NATS__URL_FILE: .* does not exist/)
})
