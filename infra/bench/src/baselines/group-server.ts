// The baseline of gateway-overhead: node:http and one prepared select, no checks of any kind. The select is the one that the group
// service sends for GET of one group, with the caller's name beside it, so that both answers are of about the same size.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10, options: '-c search_path=group' })
const values = [200, process.env['GROUP_ID'], process.env['USER_ID']]
const text = `
  select groups.id, groups.name, groups.description, groups.created_at, groups.updated_at, mine.role,
    (select count(*) as count from members where members.group_id = groups.id) as member_count,
    to_json(array(
      select json_build_object('user_id', user_id, 'username', 'root', 'role', role, 'joined_at',
        to_char(joined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) from members
      where members.group_id = groups.id order by joined_at desc, user_id desc limit $1)) as members
  from groups inner join members as mine on mine.group_id = groups.id
  where mine.user_id = $3 and groups.id = $2`

const server = createServer((_request, response) => {
  const answer = (status: number, value: unknown) => {
    const body = JSON.stringify(value)
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  }
  pool.query({ name: 'group', text, values }).then(
    ({ rows }) => answer(rows.length === 1 ? 200 : 404, rows[0] ?? null),
    (error: Error) => answer(500, error.message),
  )
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
