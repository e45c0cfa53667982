import { OPTIONS } from './start-arguments.ts'
import { StartError } from './start-error.ts'

/**
 * Without `--` before them npm takes options for its own, and hands them on only as variables. Throws {@link StartError} when it did
 * so with some of ours: the start would do something else than what was meant.
 */
export function refuseSwallowedOptions(env: NodeJS.ProcessEnv): void {
  const swallowed = Object.keys(OPTIONS).filter((name) => isSwallowed(name, env))
  if (swallowed.length === 0) return
  const options = swallowed.map((name) => `--${name}`)
  const written = swallowed.map((name) => `--${name}${OPTIONS[name as keyof typeof OPTIONS].type === 'string' ? ' …' : ''}`)
  throw new StartError(
    `npm took ${options.join(', ')} for an option of its own. Write -- before the options of this command:\n  npm start -- ${written.join(' ')}`,
  )
}

/** npm turns `--no-demo` into `demo` with an empty value. */
function isSwallowed(name: string, env: NodeJS.ProcessEnv): boolean {
  const variable = (option: string) => env[`npm_config_${option.replaceAll('-', '_')}`]
  return name.startsWith('no-') ? variable(name.slice(3)) === '' : variable(name) !== undefined
}
