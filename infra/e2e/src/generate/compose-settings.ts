import type { ComposeService } from '../support/compose.ts'
import type { ProcessSettings } from './env-example.ts'

const HEAD = `# Generated from the config schemas by \`npm run contracts:accept\`: do not edit. docker-compose.yml takes these settings from the environment
# or a file .env; what they mean stands in .env.example. An empty one counts as unset.`

/** Set by the image, or without a meaning in a container. */
const NOT_PASSED: ReadonlySet<string> = new Set(['APP_ENV', 'HEALTH__HOST', 'HEALTH__PORT', 'CONNECTIONS__FROM'])

/** Renders, for each service, the settings that docker-compose.yml does not set itself. */
export function renderComposeSettings(
  processes: readonly ProcessSettings[],
  services: Readonly<Record<string, Pick<ComposeService, 'environment'>>>,
): string {
  const blocks = processes.map(({ process, schema }) => {
    const own = Object.keys(services[process]?.environment ?? {}).map((name) => name.replace(/_FILE$/, ''))
    const names = Object.keys(schema.shape).filter((name) => !own.includes(name) && !NOT_PASSED.has(name))
    return [`  ${process}:`, '    environment:', ...names.toSorted().map((name) => `      ${name}: \${${name}:-}`)].join('\n')
  })
  return `${HEAD}\nservices:\n${blocks.join('\n')}\n`
}
