import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { teamAccounts, TEAMS_CONF } from '@youworker/contracts/topology/accounts'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { writeTeams } from '@youworker/embedded/nats-teams'

/** In the folder of secrets: the teams, and what nats-server reads of them. */
export const TEAM_FILES = { list: 'teams.json', accounts: TEAMS_CONF } as const

/** The mode of a secret, set with chmod: a umask of 077 would take it from the user of a container. */
export const READABLE = 0o644

/** Like the other secrets, readable for the user of a container, in a folder that only the owner may enter. */
export async function writeTeamFiles(dir: string, teams: readonly NatsTeam[]): Promise<void> {
  await writeTeams(join(dir, TEAM_FILES.list), teams, READABLE)
  // Written in place: a running container has this very file, and would not see one that is renamed over it.
  const accounts = join(dir, TEAM_FILES.accounts)
  await writeFile(accounts, JSON.stringify(teamAccounts(teams), undefined, 2))
  await chmod(accounts, READABLE)
}
