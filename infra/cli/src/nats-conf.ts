import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { permissionsOf } from '@youworker/contracts/topology/permissions'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'

/** `NATS_PASSWORD_CHAT_AGENT` for chat-agent. */
export const passwordVariable = (prefix: string, service: string): string =>
  `${prefix}_${service.replaceAll('-', '_').toUpperCase()}`

/** The configuration of a production nats-server (2.12.7 or newer). Passwords are read from the server's environment. */
export function renderNatsConf(): string {
  return `# Generated from the contracts by \`npm run contracts:accept\`: do not edit.
port: 4222
# Shows every subject and connection to whoever asks: for the health check of its own machine only.
http: "127.0.0.1:8222"
max_payload: 1MB

jetstream {
  store_dir: /data
  sync_interval: always
}

authorization {
  users: [
    # Makes the stream of events and its durables, with: youworker migrate
    { user: "${NATS_ADMIN}", password: $${passwordVariable('NATS_PASSWORD', NATS_ADMIN)} }
${SERVICES.map(renderUser).join('\n')}
  ]
}
`
}

function renderUser(service: ServiceName): string {
  const { publish, subscribe } = permissionsOf(service)
  const list = (subjects: readonly string[]) => subjects.map((subject) => `            "${subject}"`).join('\n')
  return `    {
      user: "${service}"
      password: $${passwordVariable('NATS_PASSWORD', service)}
      permissions: {
        publish: {
          allow: [
${list(publish.allow)}
          ]
        }
        subscribe: {
          allow: [
${list(subscribe.allow)}
          ]
        }
      }
    }`
}
