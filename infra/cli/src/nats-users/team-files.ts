import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { teamAccounts, TEAMS_CONF } from '@youworker/contracts/topology/accounts'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { writeTeams } from '@youworker/embedded/nats-teams'

/** In the folder of secrets: the teams, and what nats-server reads of them. */
export const TEAM_FILES = { list: 'teams.json', accounts: TEAMS_CONF } as const

/** Like the other secrets, readable for the user of a container, in a folder that only the owner may enter. */
export async function writeTeamFiles(dir: string, teams: readonly NatsTeam[]): Promise<void> {
  await writeTeams(join(dir, TEAM_FILES.list), teams, 0o644)
  // Written in place: a running container has this very file, and would not see one that is renamed over it.
  await writeFile(join(dir, TEAM_FILES.accounts), JSON.stringify(teamAccounts(teams), undefined, 2), { mode: 0o644 })
}
