// Draws the house from its imports and its topology into README.md; `--check` only compares.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ownerOf } from '@youworker/contracts/subjects'
import { NEIGHBOURS, SERVICES } from '@youworker/contracts/topology'

const ROOT = join(import.meta.dirname, '../../..')
const README = join(ROOT, 'README.md')

interface Room {
  readonly folder: string
  readonly name: string
  readonly description: string
  /** Workspace packages that its sources import. */
  readonly imports: readonly string[]
}

function readRooms(): Room[] {
  const order = ['services', 'packages', 'infra']
  const folders = globSync('{services,packages,infra}/*/package.json', { cwd: ROOT }).map((file) => dirname(file))
  folders.sort((a, b) => order.indexOf(dirname(a)) - order.indexOf(dirname(b)) || a.localeCompare(b))
  return folders.map((folder) => {
    const { name, description } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as {
      name: string
      description: string
    }
    const sources = globSync(`${folder}/src/**/*.ts`, { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts'))
    const code = sources.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
    const imports = new Set(Array.from(code.matchAll(/from '@youworker\/([^/']+)/g), ([, imported = '']) => imported))
    return { folder, name: name.replace('@youworker/', ''), description, imports: [...imports].sort() }
  })
}

/** Requests as solid arrows, events as dotted ones, and which shared packages each service stands on. */
function drawServices(): string {
  const arrows = SERVICES.flatMap((service) => {
    const { calls, consumes } = NEIGHBOURS[service]
    const others = (subjects: readonly { subject: string }[]) =>
      new Set(subjects.map(({ subject }) => ownerOf(subject)).filter((owner) => owner !== service))
    const asked = [...others(calls)].filter(
      (owner) => service === 'gateway' || owner !== 'auth' || calls.some(({ subject }) => needsAuth(subject)),
    )
    return [
      ...asked.map((owner) => `  ${service} --> ${owner}`),
      ...[...others(consumes)].map((owner) => `  ${owner} -. events .-> ${service}`),
    ]
  })
  return [
    '```mermaid',
    'flowchart LR',
    '  client([clients]) -- HTTP, SSE, WebSocket --> gateway',
    '  chat-agent -- MCP --> tools',
    ...arrows,
    '```',
  ].join('\n')
}

/** Every service reads auth's keys and revocations; only what goes beyond that is drawn. */
const needsAuth = (subject: string): boolean => ownerOf(subject) === 'auth' && !/\.(key|revocation)\.list$/.test(subject)

function drawMap(rooms: readonly Room[]): string {
  const row = ({ folder, description, imports }: Room) => `| \`${folder}\` | ${description} | ${imports.join(', ')} |`
  return ['| folder | what it is for | imports |', '|---|---|---|', ...rooms.map(row)].join('\n')
}

function replaceBetween(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`README.md has no ${start} … ${end}`)
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`
}

const before = readFileSync(README, 'utf8')
const after = replaceBetween(replaceBetween(before, 'picture', drawServices()), 'map', drawMap(readRooms()))
if (!process.argv.includes('--check')) {
  writeFileSync(README, after)
} else if (before !== after) {
  console.error('README.md does not show the house as it is: run `npm run contracts:accept`')
  process.exitCode = 1
}
