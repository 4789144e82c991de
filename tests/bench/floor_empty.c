/* floor_empty.c: what a process costs here that does nothing at all. For orientation. */
int main(void)
{
    return 0;
}
