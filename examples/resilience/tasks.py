"""The cache does not answer, the mail server and its queue are down, and a card may be refused."""


async def create_account(**request):
    return {"account": 17, "card": request.get("card", "good")}


async def warm_cache(account: int):
    raise TimeoutError("the cache did not answer")


async def send_mail(account: int):
    raise ConnectionError("the mail server is down")


async def queue_mail(account: int):
    raise ConnectionError("the queue is down")


async def log_mail(account: int):
    return {"logged": account}


async def charge(account: int, card: str):
    if card != "good":
        raise ValueError("the card was refused")
    return {"paid": True}
