// The baseline of gateway-overhead: node:http and one prepared select, no checks of any kind.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 })
const values = [process.env['GROUP_ID'], process.env['USER_ID']]
const text = `
  select g.id, g.name, g.description, g.created_at, g.updated_at, m.role,
    (select count(*) from "group".members c where c.space_id = g.space_id) as member_count
  from "group".groups g join "group".members m on m.space_id = g.space_id and m.user_id = $2
  where g.id = $1`

const server = createServer((_request, response) => {
  void pool.query({ name: 'group', text, values }).then(({ rows }) => {
    const body = JSON.stringify(rows[0])
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
