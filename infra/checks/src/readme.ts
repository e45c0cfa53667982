// Writes the picture of the services and the table of packages into README.md. `--check` only compares.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ownerOf } from '@youworker/contracts/topology/subjects'
import { NEIGHBOURS, SERVICES } from '@youworker/contracts/topology/topology'
import { ROOT } from './root.ts'

const README = join(ROOT, 'README.md')

interface Workspace {
  readonly folder: string
  readonly name: string
  readonly description: string
  /** Workspace packages that its sources import. */
  readonly imports: readonly string[]
}

function readWorkspaces(): Workspace[] {
  const order = ['services', 'packages', 'infra']
  const folders = globSync('{services,packages,infra}/*/package.json', { cwd: ROOT }).map((file) => dirname(file))
  folders.sort((a, b) => order.indexOf(dirname(a)) - order.indexOf(dirname(b)) || a.localeCompare(b))
  return folders.map((folder) => {
    const { name, description } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as {
      name: string
      description: string
    }
    const sources = globSync(`${folder}/src/**/*.ts`, { cwd: ROOT }).filter((file) => !/\.test\.ts$|\/test-[^/]+\.ts$/.test(file))
    const code = sources.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
    const imports = new Set(
      Array.from(code.matchAll(/(?:from |import\()'@youworker\/([^/']+)/g), ([, imported = '']) => imported),
    )
    return { folder, name: name.replace('@youworker/', ''), description, imports: [...imports].sort() }
  })
}

/** Subjects that nearly every service calls are not drawn: health, public keys, revocations. */
const COMMON = /\.(health\.check|key\.list|revocation\.list)$/

/** A mermaid flowchart: requests are solid arrows, events dotted ones. */
function drawServices(): string {
  const arrows = SERVICES.flatMap((service) => {
    const { calls, consumes } = NEIGHBOURS[service]
    const owners = (all: readonly { subject: string }[]) =>
      new Set(all.filter(({ subject }) => !COMMON.test(subject)).map(({ subject }) => ownerOf(subject)))
    const called = [...owners(calls)].map((owner) => `  ${service} --> ${owner}`)
    const consumed = [...owners(consumes)]
      .filter((owner) => owner !== service)
      .map((owner) => `  ${owner} -. events .-> ${service}`)
    return [...called, ...consumed]
  })
  const outside = ['  client([clients]) -- HTTP, SSE, WebSocket --> gateway', '  chat-agent -- MCP --> tools']
  return ['```mermaid', 'flowchart LR', ...outside, ...arrows, '```'].join('\n')
}

/** A Markdown table, padded as oxfmt formats it. */
function drawMap(workspaces: readonly Workspace[]): string {
  const rows = workspaces.map(({ folder, description, imports }) => [`\`${folder}\``, description, imports.join(', ')])
  const table = [['folder', 'what it is for', 'imports'], ...rows]
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head, ...body] = table.map(line)
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n')
}

function replaceBetween(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`README.md has no ${start} … ${end}`)
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`
}

const before = readFileSync(README, 'utf8')
const after = replaceBetween(replaceBetween(before, 'picture', drawServices()), 'map', drawMap(readWorkspaces()))
if (!process.argv.includes('--check')) {
  writeFileSync(README, after)
} else if (before !== after) {
  console.error('README.md does not show the system as it is: run `npm run contracts:accept`')
  process.exitCode = 1
}
