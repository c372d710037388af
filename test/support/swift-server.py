"""An S3-compatible server for tests: OpenStack Swift with its S3 API in one process, objects in memory.

usage: swift-server.py DIRECTORY REGION ACCESS_KEY SECRET_KEY, where the access key is ACCOUNT:USER. Prints its port.
"""
import eventlet

eventlet.monkey_patch()

import array
import os
import sys

from eventlet import wsgi
from swift.account.server import AccountController
from swift.common import utils
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.middleware import tempauth
from swift.common.middleware.s3api import s3api
from swift.common.ring import RingData
from swift.container.server import ContainerController
from swift.obj.mem_server import ObjectController
from swift.proxy.server import Application

directory, region, access_key, secret_key = sys.argv[1:]
account, user = access_key.split(':')
utils.HASH_PATH_SUFFIX = b'tests'
os.makedirs(os.path.join(directory, 'sda1', 'tmp'))
conf = {
    'devices': directory,
    'swift_dir': directory,
    'mount_check': 'false',
    'account_autocreate': 'true',
    'location': region,
    'log_name': 'swift',
    'user_%s_%s' % (account, user): '%s .admin' % secret_key,
}


class NoCache:
    """Signatures need no memory, but the sign-in insists on one."""

    def __init__(self, app):
        self.app = app

    def __call__(self, env, start_response):
        env['swift.cache'] = self
        return self.app(env, start_response)

    def get(self, *_, **__):
        return None

    def set(self, *_, **__):
        pass

    def delete(self, *_, **__):
        pass


def serve(listener, app):
    log = utils.NullLogger()
    eventlet.spawn(wsgi.server, listener, app, log, protocol=SwiftHttpProtocol, capitalize_response_headers=False)


def listen():
    return eventlet.listen(('127.0.0.1', 0))


# One device of one partition holds all.
listeners = {kind: listen() for kind in ('account', 'container', 'object')}
for kind, listener in listeners.items():
    port = listener.getsockname()[1]
    device = {'id': 0, 'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'sda1', 'weight': 1.0}
    device.update(replication_ip='127.0.0.1', replication_port=port, meta='')
    RingData([array.array('H', [0])], [device], 32).save(os.path.join(directory, kind + '.ring.gz'))
serve(listeners['account'], AccountController(conf))
serve(listeners['container'], ContainerController(conf))
serve(listeners['object'], ObjectController(conf))
front = listen()
serve(front, NoCache(s3api.filter_factory(conf)(tempauth.filter_factory(conf)(Application(conf)))))
print(front.getsockname()[1], flush=True)
# Ends with the process that started it.
eventlet.tpool.execute(sys.stdin.read)
