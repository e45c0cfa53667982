import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { ROOT } from './support/root.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const Rule = z.strictObject({
  alert: z.string().regex(/^[A-Z][A-Za-z]+$/),
  expr: z.string().min(1),
  for: z
    .string()
    .regex(/^\d+[sm]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.strictObject({ summary: z.string().min(20) }),
})
const Rules = z.strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(Rule).min(1) })).length(1) })

/** Words of PromQL, and what Prometheus itself makes. */
const NOT_OURS = new Set(['sum', 'min', 'max', 'by', 'rate', 'increase', 'up'])
/** The names of metrics in an expression: what is left without label lists, strings, ranges and numbers. */
const metricsIn = (expr: string): string[] =>
  expr
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)/g, ' ')
    .match(/[a-z_][a-z0-9_]+/g)
    ?.filter((name) => !NOT_OURS.has(name)) ?? []

let system: TestSystem
let rules: z.infer<typeof Rule>[]
beforeAll(async () => {
  system = await startTestSystem()
  const text = await readFile(join(ROOT, 'infra/prometheus/alerts.yml'), 'utf8')
  rules = Rules.parse(parse(text)).groups[0]?.rules ?? []
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const figures = async () => String((await system.root.get('/metrics')).body)

test('every metric and label of the alert rules is one that the system has', async () => {
  await system.root.get('/v1/groups')
  const text = await figures()
  const known = new Set(
    [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', kind]) =>
      kind === 'histogram' ? [`${name}_count`, `${name}_bucket`, `${name}_sum`] : [name],
    ),
  )
  expect(known.size).toBeGreaterThan(30)
  const named = rules.flatMap(({ expr }) => metricsIn(expr))
  expect(new Set(named).size).toBeGreaterThanOrEqual(9)
  expect(named.filter((name) => !known.has(name))).toEqual([])
  // The rule for 5xx reads a label.
  expect(text).toMatch(/^http_request_duration_seconds_count\{[^}]*status="200"/m)
})

test('prometheus.yml has these rules, and finds the processes where the gateway names them', async () => {
  const config = parse(await readFile(join(ROOT, 'infra/prometheus/prometheus.yml'), 'utf8'))
  expect(config.rule_files).toEqual(['alerts.yml'])
  const [
    {
      job_name,
      http_sd_configs: [discovery],
    },
  ] = config.scrape_configs
  expect(rules.find(({ alert }) => alert === 'ProcessAway')?.expr).toContain(`job="${job_name}"`)
  const { status, headers, body } = await system.root.get(new URL(discovery.url).pathname)
  // What Prometheus asks of such a page; these processes have no port of their own.
  expect([status, headers.get('content-type'), body]).toEqual([200, 'application/json', []])
})

test('what operations.md calls worth an alarm has a rule', async () => {
  const page = await readFile(join(ROOT, 'docs/operations.md'), 'utf8')
  const list = /Worth an alarm[^:]*:([^.]*)\./.exec(page)?.[1] ?? ''
  const worth = [...list.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name)
  expect(worth.length).toBeGreaterThan(5)
  const named = new Set(rules.flatMap(({ expr }) => metricsIn(expr)))
  expect(worth.filter((name) => !named.has(name ?? ''))).toEqual([])
})

test('dead letters are a figure of their service', async () => {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    await client.query(`insert into analytics.dead_letters (envelope, reason) values ('{}', 'a test')`)
    await waitFor(async () => /^dead_letters\{service="analytics"\} 1$/m.test(await figures()), { what: 'one dead letter' })
    expect(await figures()).toContain('# TYPE dead_letters gauge')
    await waitFor(async () => /^dead_letters\{service="auth"\} 0$/m.test(await figures()), { what: 'none of auth' })
    await client.query('delete from analytics.dead_letters')
    await waitFor(async () => /^dead_letters\{service="analytics"\} 0$/m.test(await figures()), { what: 'none' })
  } finally {
    await client.end()
  }
})
