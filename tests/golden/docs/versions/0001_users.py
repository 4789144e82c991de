"""users | with a pipe"""
revision = "0001"
down_revision = None
