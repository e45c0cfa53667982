import { type NatsAccount, natsAccounts, TEAMS_CONF } from '@youworker/contracts/topology/accounts'

/** `NATS_PASSWORD_CHAT_AGENT` for chat-agent. */
export const passwordVariable = (prefix: string, service: string): string =>
  `${prefix}_${service.replaceAll('-', '_').toUpperCase()}`

/** The configuration of a production nats-server (2.12.7 or newer). Passwords are read from the server's environment. */
export function renderNatsConf(): string {
  const accounts = Object.entries(natsAccounts((user) => `$${passwordVariable('NATS_PASSWORD', user)}`))
  return `# Generated from the contracts by \`npm run contracts:accept\`: do not edit.
port: 4222
# Shows every subject and connection to whoever asks: for the health check of its own machine only.
http: "127.0.0.1:8222"
max_payload: 1MB

jetstream {
  store_dir: /data
  sync_interval: always
}

accounts {
${accounts.map(renderAccount).join('\n')}
  # Teams that read events: npm run youworker -- nats user add
  include ./${TEAMS_CONF}
}
`
}

/** JSON is valid in the file, but a variable stands without quotes. */
const renderAccount = ([name, account]: [string, NatsAccount]): string =>
  `  ${name}: ${JSON.stringify(account, undefined, 2)}`.replaceAll(/("password": )"(\$\w+)"/g, '$1$2').replaceAll('\n', '\n  ')
