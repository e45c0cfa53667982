import type { Print } from '../print.ts'
import { readDotEnv } from './dot-env.ts'
import { loadSchemas, namesIn, type Schemas } from './schemas.ts'
import { type GivenSettings, readGivenSettings } from './settings.ts'
import { unknownNames } from './unknown-names.ts'

/**
 * Reads the project's file .env and the environment, whose variables override the file's. Prints which names are read under another one, have no
 * effect or are no settings.
 */
export async function loadSettings(
  environment: NodeJS.ProcessEnv,
  print: Print,
): Promise<{ given: GivenSettings; schemas: Schemas }> {
  const file = readDotEnv()
  if (file) print('Settings are read from .env')
  const env = { ...file?.values, ...environment }
  const schemas = await loadSchemas()
  const known = namesIn(schemas)
  const given = readGivenSettings(env, (name) => known.has(name))
  for (const notice of given.notices) print(notice)
  for (const name of file?.withColon ?? []) print(`${name}: in .env sets nothing; write ${name}=value.`)
  for (const line of unknownNames({ inFile: Object.keys(file?.values ?? {}), env, known })) print(line)
  return { given, schemas }
}
