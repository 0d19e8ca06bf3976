import { describe, expect, test } from 'vitest';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../../src/server/endpoint.ts';

describe('--endpoint', () => {
  test.each<[string, Endpoint]>([
    ['unix:///tmp/azure.sock', { kind: 'unix', path: '/tmp/azure.sock' }],
    ['UNIX:///tmp/azure.sock', { kind: 'unix', path: '/tmp/azure.sock' }],
    ['unix://azure.sock', { kind: 'unix', path: 'azure.sock' }],
    ['unix:///tmp/with space:80', { kind: 'unix', path: '/tmp/with space:80' }],
    ['tcp://127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['Tcp://localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['tcp://:8080', { kind: 'tcp', host: '', port: 8080 }],
    ['tcp://[::1]:8080', { kind: 'tcp', host: '::1', port: 8080 }],
  ])('%s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(parseEndpoint(formatEndpoint(endpoint))).toEqual(endpoint);
  });

  test.each([
    '',
    '/tmp/azure.sock',
    'unix:',
    'unix:/tmp/azure.sock',
    'unix://',
    'tcp://',
    'tcp://localhost',
    'tcp://localhost:',
    'tcp://localhost:http',
    'tcp://localhost:65536',
    'tcp://::1:8080',
    'http://localhost:8080',
  ])('refuses %j in the words of the official provider', (text) => {
    expect(() => parseEndpoint(text)).toThrow(`invalid endpoint: ${text};`);
  });
});
