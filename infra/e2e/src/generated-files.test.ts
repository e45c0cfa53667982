import { join } from 'node:path'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { buildOpenApi } from '@youworker/gateway/openapi'
import { ROUTES } from '@youworker/gateway/routes'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { renderEvents } from './generate/events-page.ts'

// Files that are generated and committed: `npm run contracts:accept` writes them, a difference fails here.
const ROOT = join(import.meta.dirname, '../../..')

test('docs/openapi.json is what the route table says', async () => {
  await expect(`${JSON.stringify(buildOpenApi(ROUTES), null, 2)}\n`).toMatchFileSnapshot(join(ROOT, 'docs/openapi.json'))
})

test('docs/events.md is what the contracts say', async () => {
  await expect(renderEvents()).toMatchFileSnapshot(join(ROOT, 'docs/events.md'))
})

/** What a setting is when nobody sets it: a value, `undefined` for an optional one, or required. */
function whenUnset(schema: z.ZodType): string {
  const parsed = schema.safeParse(undefined)
  if (!parsed.success) return 'required'
  const value: unknown = parsed.data ?? ''
  return typeof value === 'string' ? value : Array.isArray(value) ? value.join(',') : JSON.stringify(value)
}

test('.env.example lists every setting of every process', async () => {
  const settings = new Map<string, { value: string; users: string[] }>()
  for (const name of [...SERVICES, 'offline-model']) {
    const folder = name === 'offline-model' ? 'infra' : 'services'
    const { Env } = (await import(join(ROOT, folder, name, 'src/config.ts'))) as { Env: z.ZodObject<Record<string, z.ZodType>> }
    for (const [setting, schema] of Object.entries(Env.shape)) {
      const known = settings.get(setting) ?? { value: whenUnset(schema), users: [] }
      settings.set(setting, { ...known, users: [...known.users, name] })
    }
  }
  const everybody = SERVICES.length + 1
  const lines = [...settings]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([setting, { value, users }]) => {
      const who = users.length === everybody ? 'all' : users.join(', ')
      return value === 'required' ? `${setting}=   # required: ${who}` : `# ${setting}=${value}   # ${who}`
    })
  const head = [
    '# Every setting, with its default and who reads it. Generated from the config schemas by `npm run contracts:accept`.',
    '# Each secret may also come from a file: NAME_FILE=/path. `npm run youworker -- keys generate` prints a complete production set;',
    '# `npm start` needs none of them.',
    '',
  ]
  await expect([...head, ...lines, ''].join('\n')).toMatchFileSnapshot(join(ROOT, '.env.example'))
})
