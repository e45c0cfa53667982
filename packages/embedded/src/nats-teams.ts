import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { NatsTeam } from '@youworker/contracts/topology/teams'

/** The teams of a file, with their passwords; none when there is no such file. */
export async function readTeams(file: string): Promise<NatsTeam[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '[]'
    throw error
  })
  return parseTeams(text, file)
}

/** `where` names the text in the error. */
export function parseTeams(text: string, where: string): NatsTeam[] {
  try {
    return NatsTeam.array().parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${where} is damaged: it has to be a list of teams. Put back a copy, or delete it and add the teams again.`, {
      cause,
    })
  }
}

/** A crash leaves the old file or the new one, never half of it. */
export async function writeTeams(file: string, teams: readonly NatsTeam[], mode = 0o600): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(teams, undefined, 2)}\n`, { mode })
  await chmod(`${file}.new`, mode)
  await rename(`${file}.new`, file)
}
