import { AppError } from '@youworker/contracts/errors'

/** The addresses in NATS__URL, and the login of the first. Throws `SERVICE_UNAVAILABLE`. */
export function readUrl(url: string) {
  const urls = url.split(',').map(parse)
  const servers = urls.map(({ host }) => host)
  const { username, password } = urls[0] ?? new URL('nats://localhost')
  const user = decodeURIComponent(username)
  const pass = decodeURIComponent(password)
  const credentials = user === '' ? {} : pass === '' ? { token: user } : { user, pass }
  return { servers, where: servers.join(', '), credentials }
}

function parse(text: string): URL {
  try {
    return new URL(text.includes('://') ? text.trim() : `nats://${text.trim()}`)
  } catch {
    throw new AppError('SERVICE_UNAVAILABLE', 'NATS__URL is not a URL like nats://user:password@host:4222')
  }
}
