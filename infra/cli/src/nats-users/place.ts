import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { teamAccounts } from '@youworker/contracts/topology/accounts'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { readTeams, writeTeams } from '@youworker/embedded/nats-teams'
import { createLogger } from '@youworker/runtime/logger'
import { TEAM_FILES, writeTeamFiles } from './team-files.ts'

/** Where the teams of a system are kept. */
export interface Place {
  /** Of the server, for the team; without user and password. */
  readonly server: string
  /** Of the administrator; `undefined` when the server cannot be reached from here. */
  readonly adminUrl: string | undefined
  read(): Promise<NatsTeam[]>
  /** Keeps the teams and has a running server take them. Returns what is left to do, for the operator. */
  write(teams: readonly NatsTeam[]): Promise<string>
}

const ROOT = join(import.meta.dirname, '../../../..')

/** Of `npm start` by its data folder, or of docker-compose.yml by its folder of secrets. */
export async function openPlace({ data, secrets }: { data: string | undefined; secrets: string | undefined }): Promise<Place> {
  // The folder in which the user typed the command: `npm run` changes it.
  const from = process.env['INIT_CWD'] ?? ''
  if (secrets !== undefined) return ofCompose(resolve(from, secrets))
  const dir = data === undefined ? join(ROOT, '.youworker') : resolve(from, data)
  const isThere = await stat(join(dir, 'secrets.json')).then(
    () => true,
    () => false,
  )
  if (!isThere)
    throw new Error(
      `${dir} is no data folder. Run npm start first, or give its folder with --data DIR, or --secrets DIR for compose.`,
    )
  return ofLocal(dir)
}

async function ofLocal(dir: string): Promise<Place> {
  const endpoints = await readEndpoints(dir)
  const file = join(dir, TEAM_FILES.list)
  return {
    server: endpoints ? new URL(endpoints.nats).host : '127.0.0.1:PORT',
    adminUrl: endpoints?.nats,
    read: () => readTeams(file),
    async write(teams) {
      if (endpoints && !endpoints.processes.some(({ name }) => name === 'nats'))
        throw new Error('This system uses a nats-server of your own (NATS__URL), whose accounts this command does not know.')
      await writeTeams(file, teams)
      if (!endpoints) return 'YouWorker does not run: its next start takes it.'
      return tellServer(join(dir, 'nats'), endpoints.nats, teams)
    },
  }
}

const logger = createLogger({ name: 'nats-users', level: 'silent' })
const TRIES = 20
const TRY_EVERY_MS = 250

async function tellServer(natsDir: string, adminUrl: string, teams: readonly NatsTeam[]): Promise<string> {
  const { changeTeams } = await import('@youworker/embedded/nats')
  const { ensureEventStream } = await import('@youworker/messaging/events/ensure-event-stream')
  const { canTeamRead } = await import('@youworker/messaging/events/team-durables')
  await ensureEventStream({ url: adminUrl, logger, teams })
  // nats-server 2.9 takes a new account with the first signal, and what it imports with the second.
  for (let tries = 0; tries < TRIES; tries++) {
    if (!(await changeTeams(natsDir, teamAccounts(teams)))) return 'nats-server is down: its next start takes it.'
    await sleep(TRY_EVERY_MS)
    const can = await Promise.all(teams.map((team) => canTeamRead(adminUrl, team, logger)))
    if (!can.includes(false)) return 'The running server has taken it.'
  }
  throw new Error(
    'nats-server has not taken them; its log says why (npm start -- logs nats). npm start -- restart nats takes them.',
  )
}

/** Twice: the second time it takes what a new account imports. */
const SIGNAL = 'docker compose kill -s HUP nats'

const ofCompose = (dir: string): Place => ({
  server: 'nats:4222',
  adminUrl: undefined,
  read: () => readTeams(join(dir, TEAM_FILES.list)),
  async write(teams) {
    await writeTeamFiles(dir, teams)
    return `For the running system: ${SIGNAL} && docker compose run --rm migrate && ${SIGNAL}`
  },
})

interface Endpoints {
  readonly nats: string
  readonly processes: readonly { readonly name: string }[]
}

/** `undefined` while nothing runs on the folder. */
async function readEndpoints(dir: string): Promise<Endpoints | undefined> {
  const text = await readFile(join(dir, 'endpoints.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Endpoints)
}
