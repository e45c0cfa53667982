import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { AddressList, addressForLimits, canonicalAddress, clientAddress, isAddressRange } from './client-address.ts'

// The parts of a request that `clientAddress` reads.
const from = (remoteAddress: string, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::ffff:0a01:0203', '10.1.2.3'],
  ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
  ['2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:1'],
  ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
  ['[2001:db8::1]:4711', '2001:db8:0:0:0:0:0:1'],
  ['192.0.2.7:4711', '192.0.2.7'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['unknown', undefined],
  ['', undefined],
  ['1.2.3.4.5', undefined],
  ['0177.0.0.1', undefined],
  ['127.1', undefined],
  ['0x7f000001', undefined],
])('%s is %s', (text, canonical) => {
  expect(canonicalAddress(text)).toBe(canonical)
})

test('addresses of one IPv6 /64 share a limit', () => {
  const limits = (text: string) => addressForLimits(canonicalAddress(text) ?? '')
  expect(limits('2001:db8:1:2:3:4:5:6')).toBe(limits('2001:db8:1:2::9'))
  expect(limits('2001:db8:1:2::1')).not.toBe(limits('2001:db8:1:3::1'))
  expect(limits('10.0.0.1')).not.toBe(limits('10.0.0.2'))
})

test('X-Forwarded-For counts from its end, as far as each hop is trusted', () => {
  const proxies = new AddressList(['10.0.0.0/8', 'fd00::/8'])
  expect(clientAddress(from('203.0.113.9', '1.1.1.1'), proxies)).toBe('203.0.113.9')
  expect(clientAddress(from('10.0.0.1', '6.6.6.6, 1.1.1.1'), proxies)).toBe('1.1.1.1')
  expect(clientAddress(from('10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.7'), proxies)).toBe('1.1.1.1')
  expect(clientAddress(from('::ffff:10.0.0.1', '1.1.1.1'), proxies)).toBe('1.1.1.1')
  expect(clientAddress(from('fd00::1', '2001:db8::5'), proxies)).toBe('2001:db8:0:0:0:0:0:5')
  expect(clientAddress(from('10.0.0.1', 'nonsense'), proxies)).toBe('10.0.0.1')
  expect(clientAddress(from('10.0.0.1'), proxies)).toBe('10.0.0.1')
  expect(clientAddress(from('10.0.0.1', '1.1.1.1'), new AddressList([]))).toBe('10.0.0.1')
})

test('an address is in a list of addresses and CIDR ranges', () => {
  expect(['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8'].every(isAddressRange)).toBe(true)
  const invalid = ['10.0.0.0/33', 'example.org', '10.0.0.0/x', '::1/129', '', '10/8', '10.0.0.0/', '10.0.0.0/8/8']
  expect(invalid.filter(isAddressRange)).toEqual([])
  const list = new AddressList(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1'])
  const addresses = [
    '10.1.2.3',
    '11.0.0.1',
    '192.0.2.7',
    '192.0.2.8',
    'fd12:0:0:0:0:0:0:1',
    'fe00:0:0:0:0:0:0:1',
    '0:0:0:0:0:0:0:1',
  ]
  expect(addresses.filter((address) => list.includes(address))).toEqual([
    '10.1.2.3',
    '192.0.2.7',
    'fd12:0:0:0:0:0:0:1',
    '0:0:0:0:0:0:0:1',
  ])
  expect(list.isEmpty).toBe(false)
  expect(new AddressList([]).includes('10.1.2.3')).toBe(false)
})
