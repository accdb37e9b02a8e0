import sys, json
sys.path.insert(0,'/work/main')
import pytest
from tests.services.platform.conftest import *
PL = {"version":1,"name":"p1","description":"d","artifacts":[{"name":"web","content":{"href":"https://github.com/a/b.git"},"language_pack":"auto"}]}
def show(a): print(a.status, {k:v for k,v in a.headers.items() if k in ('content-type','location','allow','etag','www-authenticate')}, a.text[:1500])
def test_x(shared):
    p = shared
    exec(open('/tmp/v1t/body.py').read(), {**globals(), 'p': p})
