"""Names for runs that were given none: adjective, bird, number."""

from __future__ import annotations

import random

_ADJECTIVES = (
    "able amber apt bold brave bright brisk calm clear clever cosy crisp daring eager early easy "
    "fair fleet fond fresh frosty gentle glad golden grand happy hardy honest keen kind lively "
    "lucky lunar mellow merry mighty neat nimble noble patient plucky polite proud quick quiet "
    "rapid ready rosy serene sharp shiny silent silver smart smooth snowy solid spry steady "
    "still sunny swift tidy tender trusty upbeat vivid warm wise witty zesty"
).split()
_BIRDS = (
    "avocet bittern brambling bunting bustard chough coot cormorant crane crossbill curlew dipper "
    "dotterel dunlin dunnock eagle egret eider falcon fieldfare finch firecrest flycatcher fulmar "
    "gannet godwit goldcrest goshawk grebe guillemot gull harrier heron hobby hoopoe jackdaw jay "
    "kestrel kingfisher kite knot lapwing lark linnet magpie martin merlin nightjar nuthatch "
    "oriole osprey ouzel owl partridge petrel pintail pipit plover pochard puffin quail raven "
    "redpoll redstart robin rook ruff sanderling serin shelduck shrike siskin skua smew snipe "
    "spoonbill starling stonechat stork swallow swan swift teal tern thrush turnstone twite "
    "wagtail warbler waxwing wheatear wigeon wren yellowhammer"
).split()


def random_name() -> str:
    """Make a name such as ``brisk-heron-417``; independent of the program's own random seed."""
    chance = random.SystemRandom()
    return f"{chance.choice(_ADJECTIVES)}-{chance.choice(_BIRDS)}-{chance.randrange(1000)}"
