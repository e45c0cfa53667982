import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { EVENT_STREAM, JETSTREAM_API, NATS_ADMIN, teamDurable, teamUser } from '@youworker/contracts/topology/subjects'
import { EVENT_OWNERS, NatsTeam } from '@youworker/contracts/topology/teams'
import { createLogger } from '@youworker/runtime/logger'
import { readSetting } from '@youworker/runtime/process/read-setting'
import { openPlace } from './place.ts'

const OPTIONS = {
  events: { type: 'string' },
  from: { type: 'string' },
  data: { type: 'string' },
  secrets: { type: 'string' },
} as const

function parse(args: readonly string[]) {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  return { ...values, data: values.data, secrets: values.secrets, name: positionals[0] ?? '' }
}

/** Prints what a team needs to read events: its user, its password and its durables. */
export async function addNatsUser(args: readonly string[]): Promise<void> {
  const { name, events, data, secrets } = parse(args)
  const owners = events?.split(',') ?? EVENT_OWNERS
  const unknown = owners.filter((owner) => !EVENT_OWNERS.some((known) => known === owner))
  if (unknown.length > 0) throw new Error(`No events come from ${unknown.join(', ')}; they come from ${EVENT_OWNERS.join(', ')}.`)
  const parsed = NatsTeam.safeParse({ name, password: `n${randomBytes(24).toString('base64url')}`, events: [...new Set(owners)] })
  if (!parsed.success)
    throw new Error('The name is up to 32 lower-case letters and digits in words with - between them: nats user add reports')
  const place = await openPlace({ data, secrets })
  const teams = await place.read()
  if (teams.some((team) => team.name === name))
    throw new Error(
      `There is a team ${name} already. Another password or other events: nats user remove ${name}, then add it again.`,
    )
  const left = await place.write([...teams, parsed.data])
  console.log(describe(parsed.data, place.server, left))
}

function describe({ name, password, events }: NatsTeam, server: string, left: string): string {
  const user = teamUser(name)
  return `Team ${name} may read the events of ${events.join(', ')}. The password is shown this once.

  server      nats://${server}
  user        ${user}
  password    ${password}
  inbox       _INBOX.${user}      (inboxPrefix of the client)
  JetStream   ${JETSTREAM_API.imported}         (apiPrefix of the client)
  stream      ${EVENT_STREAM.name}
  durables    ${events.map((owner) => teamDurable(name, owner)).join(' ')}

${left}
Read them: NATS_URL=nats://${user}:${password}@${server} node infra/examples/src/subscribe.ts ${events.join(' ')}
Read them again: npm run youworker -- nats user replay ${name} --from TIME or SEQUENCE`
}

export async function listNatsUsers(args: readonly string[]): Promise<void> {
  const teams = await (await openPlace(parse(args))).read()
  for (const { name, events } of teams) console.log(`${teamUser(name)}  ${events.join(',')}`)
  if (teams.length === 0) console.log('No other team reads events.')
}

export async function removeNatsUser(args: readonly string[]): Promise<void> {
  const { name, ...where } = parse(args)
  const place = await openPlace(where)
  const teams = await place.read()
  if (!teams.some((team) => team.name === name)) throw new Error(unknownTeam(name, teams))
  const left = await place.write(teams.filter((team) => team.name !== name))
  console.log(`Removed ${name}: its user and its durables. ${left}`)
}

/** With NATS__ADMIN_URL on any server, else on the one that `npm start` runs. */
export async function replayNatsUser(args: readonly string[]): Promise<void> {
  const { name, from = '', ...where } = parse(args)
  const start = readStart(from)
  const url = readSetting('NATS__ADMIN_URL', process.env) ?? (await openPlace(where)).adminUrl
  if (url === undefined)
    throw new Error(
      'The server cannot be reached from here. With compose: docker compose run --rm migrate nats user replay NAME --from …',
    )
  const { replayTeam } = await import('@youworker/messaging/events/team-durables')
  const durables = await replayTeam({ url, logger: createLogger({ name: NATS_ADMIN, level: 'warn' }), team: name, from: start })
  if (durables.length === 0) throw new Error(`There is no team ${name} (nats user list shows them).`)
  console.log(
    `${durables.join(', ')}: every event from ${typeof start === 'number' ? `number ${start}` : start.toISOString()} on comes again.`,
  )
}

function readStart(from: string): Date | number {
  const number = Number(from)
  if (/^\d{1,15}$/.test(from) && number > 0) return number
  const time = new Date(from)
  if (!from.includes('-') || Number.isNaN(time.getTime()))
    throw new Error('--from takes a time such as 2026-01-31T09:30:00Z, or the number of an event in the stream.')
  return time
}

const unknownTeam = (name: string, teams: readonly NatsTeam[]): string =>
  `There is no team ${name}${teams.length === 0 ? '' : `; there are: ${teams.map((team) => team.name).join(', ')}`}.`
