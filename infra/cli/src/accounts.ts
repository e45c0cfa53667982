import { parseArgs } from 'node:util'
import { ApiKey } from '@youworker/contracts/auth'
import { forTerminal } from '@youworker/runtime/text/text'
import { z } from 'zod'
import { SYSTEM_OPTIONS, SystemApi } from './system-api.ts'

const KEYS = '/v1/account/api-keys'
const DAY_MS = 86_400_000
const Made = z.object({ id: z.string(), api_key: z.string() })
const print = (text: string) => console.log(forTerminal(text))

/** Creates an account in the running system and prints its API key. */
export async function addUser(args: readonly string[]): Promise<void> {
  const options = { ...SYSTEM_OPTIONS, email: { type: 'string' }, root: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const username = one(positionals, 'users add NAME')
  const system = await SystemApi.open(values, process.env)
  const account = { username, email: values.email, is_root: values.root ?? false }
  const { api_key } = Made.parse(await system.call('POST', '/v1/admin/users', account))
  print(`${username} has an account. This API key is the only one to sign in with, and is shown only now:`)
  printKey(api_key, system)
}

/** Creates an API key of root in the running system and prints it. */
export async function createKey(args: readonly string[]): Promise<void> {
  const options = { ...SYSTEM_OPTIONS, scopes: { type: 'string' }, days: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const key = {
    name: one(positionals, 'keys create NAME'),
    scopes: values.scopes?.split(','),
    expires_at: values.days === undefined ? undefined : inDays(values.days),
  }
  const system = await SystemApi.open(values, process.env)
  const { id, api_key } = Made.parse(await system.call('POST', KEYS, key))
  print('This API key of root is shown only now:')
  printKey(api_key, system)
  print(`\nIt ends with\n\n  npm run youworker -- keys revoke ${id}${system.option}`)
}

/** Prints the API keys of root: id, name, scopes and expiry. */
export async function listKeys(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: SYSTEM_OPTIONS })
  const system = await SystemApi.open(values, process.env)
  const { api_keys, total } = z
    .object({ api_keys: z.array(ApiKey), total: z.number() })
    .parse(await system.call('GET', `${KEYS}?limit=100`))
  for (const { id, name, scopes, expires_at } of api_keys)
    print(`${id}  ${name}  ${scopes?.join(',') ?? 'all that root may do'}  ${expires_at ?? 'does not expire'}`)
  if (total > api_keys.length) print(`and ${total - api_keys.length} more`)
}

/** Ends an API key of root, with what runs on it. */
export async function revokeKey(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], options: SYSTEM_OPTIONS, allowPositionals: true })
  const id = one(positionals, 'keys revoke ID (keys list shows the ids)')
  const system = await SystemApi.open(values, process.env)
  await system.call('DELETE', `${KEYS}/${encodeURIComponent(id)}`)
  print(`The key ${id} has ended.`)
}

function printKey(key: string, { url }: SystemApi): void {
  print(`\n${key}\n\n  curl -H "X-API-Key: ${key}" ${url}/v1/auth/me`)
}

function one(positionals: readonly string[], usage: string): string {
  const [value, ...more] = positionals
  if (value === undefined || more.length > 0) throw new Error(`Usage: npm run youworker -- ${usage}`)
  return value
}

function inDays(text: string): string {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > 36_500) throw new Error('--days takes a whole number of days, from 1 on')
  return new Date(Date.now() + days * DAY_MS).toISOString()
}
